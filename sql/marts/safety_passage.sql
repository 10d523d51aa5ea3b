/*---
kind         = "table"
about        = "The last gate that each student passed on a campus day, by any way of passage: for who looks for somebody in a safety check, and nothing else (安全核实: 当日最后通行)."
about_zh     = "每名学生在一个校园日最后通过的门，任何通行方式都算：供安全核实中寻人使用，别无他用。"
owner        = "logistics_security_office"
materialized = "day"
live         = true
grain        = ["student_key", "occurred_on"]
subject      = "student_key"
purpose      = ["public_safety"]

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "personal" }
occurred_on = { about = "Campus day.", about_zh = "校园日。", class = "trace" }
passed_at   = { about = "When it was.", about_zh = "通过的时间。", class = "trace" }
device_id   = { about = "Which gate.", about_zh = "是哪个门。", class = "trace" }
direction   = { about = "Way of passage: in or out.", about_zh = "通行方向：进或出。", class = "trace" }
---*/

-- Not by versions as known: who looks for somebody wants the newest row that there is, however late it came.
WITH ranked AS (
    SELECT
        student_key,
        occurred_on,
        occurred_at,
        device_id,
        direction,
        row_number() OVER (PARTITION BY student_key, occurred_on ORDER BY occurred_at DESC, device_id, event_seq DESC) AS place
    FROM stg_gate_event
)

SELECT student_key, occurred_on, occurred_at AS passed_at, device_id, direction
FROM ranked
WHERE place = 1

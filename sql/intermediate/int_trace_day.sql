/*---
kind         = "table"
about        = "What ends a silence: every day of sixty with evidence of a student, of devices or of people who saw them, with the first and the last of the day (校内记录日)."
about_zh     = "近60天里有校内记录的日子，以及当天最早和最后的一条：设备记录，或有人见到（课堂点名、查寝、未归核实、个别谈话）。判断“数据无记录”都以此为准。"
owner        = "platform"
materialized = "view"
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "public_safety"]

[columns]
student_key      = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "personal" }
occurred_on      = { about = "Campus day.", about_zh = "校园日。", class = "trace" }
first_seen_at    = { about = "First evidence of the day.", about_zh = "当天最早的一条记录。", class = "trace" }
last_seen_at     = { about = "Last evidence of the day.", about_zh = "当天最后的一条记录。", class = "trace" }
last_seen_source = { about = "Source of that: card, gate, class_attendance, night_check or contact_record.", about_zh = "其来源：card 校园卡、gate 门禁、class_attendance 课堂点名、night_check 查寝或 contact_record 谈话。", class = "trace" }
is_free          = { about = "Whether the day is a weekend, a holiday or in a vacation.", about_zh = "是否为周末、节假日或假期。", class = "trace" }
---*/

SELECT
    coalesce(device.student_key, int_witness_day.student_key) AS student_key,
    coalesce(device.occurred_on, int_witness_day.occurred_on) AS occurred_on,
    least(device.first_seen_at, int_witness_day.first_seen_at) AS first_seen_at,
    greatest(device.last_seen_at, int_witness_day.last_seen_at) AS last_seen_at,
    CASE WHEN device.last_seen_at IS NULL OR int_witness_day.last_seen_at > device.last_seen_at THEN int_witness_day.last_seen_source
        ELSE device.last_seen_source END AS last_seen_source,
    coalesce(device.is_free, int_witness_day.is_free) AS is_free
FROM (
    SELECT student_key, occurred_on, first_seen_at, last_seen_at, last_seen_source, is_free
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY
) AS device
-- A day may have been seen by devices only, or by people only.
FULL OUTER JOIN int_witness_day ON int_witness_day.student_key = device.student_key AND int_witness_day.occurred_on = device.occurred_on

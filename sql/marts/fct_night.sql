/*---
kind         = "table"
about        = "The night before the date, one row a boarder: back, absent, on leave or unknown (当晚归寝)."
about_zh     = "基准日前一夜，每名住宿生一行：已归、未归、请假或未知。"
owner        = "logistics_security_office"
materialized = "as_of"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["public_safety", "cockpit"]

[columns]
night_on = { about = "The night.", about_zh = "是哪一夜。" }
night_state = { about = "back, absent, leave, free (away on a holiday), or unknown where the gates were not seen or nothing says where the student is.", about_zh = "back 已归、absent 未归、leave 请假、free 假期离校，或 unknown 未知（门禁未能观测，或没有记录说明该生在何处）。" }
---*/

SELECT
    student_key,
    occurred_on AS night_on,
    building_id,
    floor,
    CASE WHEN is_on_leave THEN 'leave'
        WHEN NOT is_gate_seen THEN 'unknown'
        WHEN is_back THEN 'back'
        WHEN is_absent THEN 'absent'
        WHEN is_free THEN 'free'
        ELSE 'unknown' END AS night_state
FROM int_night
WHERE occurred_on = $as_of - INTERVAL '1' DAY

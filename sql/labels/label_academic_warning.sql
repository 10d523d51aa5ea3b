/*---
kind     = "label"
about    = "A notice of the academic office about credits failed (学业警告)."
about_zh = "教务部门就未通过学分发出的通知。"
title_zh = "教务发出学业预警"
title_en = "a notice of the academic office"
owner    = "academic_affairs_office"
grain    = ["student_key", "event_on"]
subject  = "student_key"
purpose  = ["evaluation", "trend_warning"]
horizon  = "90d"
gap      = "2d"
recurs   = true

[columns]
outcome  = { about = "Always true: who has no notice has no row.", about_zh = "总为真：没有收到的没有行。", class = "trace" }
event_on = { about = "Day on which it was issued.", about_zh = "发出日期。", class = "trace" }
known_on = { about = "First date that may use it.", about_zh = "最早可以使用它的日期。", class = "trace" }
---*/

SELECT
    student_key,
    TRUE AS outcome,
    issued_on AS event_on,
    arrow_cast(arrow_cast(min(campus_on(known_at)), 'Int32') + 1, 'Date32') AS known_on
FROM stg_academic_warning
WHERE superseded_at IS NULL
GROUP BY student_key, issued_on

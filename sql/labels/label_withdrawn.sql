/*---
kind     = "label"
about    = "The student left the university before the end (退学)."
about_zh = "学生在结业之前离校（退学）。"
title_zh = "退学"
title_en = "withdrawal from the university"
owner    = "student_affairs_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["evaluation", "trend_warning"]
horizon  = "180d"
gap      = "2d"

[columns]
outcome  = { about = "Always true: who stays has no row.", about_zh = "总为真：仍在校的没有行。", class = "personal" }
event_on = { about = "First day on which the student is no longer enrolled.", about_zh = "不再在籍的第一天。", class = "personal" }
known_on = { about = "First date that may use it.", about_zh = "最早可以使用它的日期。", class = "personal" }
---*/

SELECT
    student_key,
    TRUE AS outcome,
    min(valid_from) AS event_on,
    arrow_cast(arrow_cast(min(campus_on(known_at)), 'Int32') + 1, 'Date32') AS known_on
FROM stg_enrollment_span
WHERE superseded_at IS NULL AND status = 'withdrawn'
GROUP BY student_key

/*---
kind     = "label"
about    = "A mark below the pass mark in a midterm or final examination: the first of its publication days, by term and examination (挂科)."
about_zh = "期中或期末考试成绩低于及格线；按学期和考试，取最早的公布日。"
title_zh = "课程考核不及格"
title_en = "a mark below the pass mark"
owner    = "academic_affairs_office"
grain    = ["student_key", "term", "exam_kind"]
subject  = "student_key"
purpose  = ["evaluation", "trend_warning"]
horizon  = "42d"
gap      = "2d"      # marks are in the platform the day after their publication
recurs   = true      # whoever failed a course is still to be looked after in the next term

[settings]
pass_score = 60

[columns]
outcome  = { about = "Always true: who has no such mark has no row.", about_zh = "总为真：没有这种成绩的没有行。", class = "trace" }
event_on = { about = "Day of publication.", about_zh = "公布日期。", class = "trace" }
known_on = { about = "First date that may use it.", about_zh = "最早可以使用它的日期。", class = "trace" }
---*/

SELECT
    student_key,
    term,
    exam_kind,
    TRUE AS outcome,
    min(campus_on(published_at)) AS event_on,
    arrow_cast(arrow_cast(min(campus_on(known_at)), 'Int32') + 1, 'Date32') AS known_on
FROM stg_grade_record
WHERE superseded_at IS NULL AND exam_kind IN ('midterm', 'final') AND score < ${pass_score}
GROUP BY student_key, term, exam_kind

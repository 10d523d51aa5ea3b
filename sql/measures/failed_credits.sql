/*---
kind      = "measure"
about     = "Credits of courses failed and not passed since (未通过学分)."
about_zh  = "考试不及格且其后没有通过的课程学分。同一课程同一学期取最高分，重考通过即不计；期中成绩不计。"
title_zh  = "未通过学分"
title_en  = "Credits failed"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "grade"
unit      = "credits"
window    = "5y"
n_min     = 4
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"

[settings]
pass_score = 60
---*/

-- The best mark of a course counts: a retake that was passed mends the failure.
WITH best AS (
    SELECT student_key, course_id, term, max(score) AS score, max(credit_tenths) AS credit_tenths
    FROM stg_grade_record
    WHERE exam_kind <> 'midterm'
    GROUP BY student_key, course_id, term
)

SELECT
    student_key,
    CAST(sum(CASE WHEN score < ${pass_score} THEN credit_tenths ELSE 0 END) AS DECIMAL(18, 6)) / 10 AS value,
    count(*) AS n,
    1.0 AS cov
FROM best
GROUP BY student_key

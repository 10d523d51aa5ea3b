/*---
kind      = "measure"
about     = "Mean distance of scores from those of the same course and term, weighted by credits: a hard course is held against nobody (课程难度校正分)."
about_zh  = "各门期末成绩与同一课程同一学期全体平均分之差，按学分加权平均：课程难不会让人吃亏。"
title_zh  = "课程难度校正分"
title_en  = "Score beyond the course"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "grade"
unit      = "points"
window    = "5y"
n_min     = 4
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

WITH course AS (
    SELECT course_id, term, CAST(sum(score) AS DECIMAL(18, 6)) / count(*) AS mean_score
    FROM stg_grade_record
    WHERE exam_kind = 'final'
    GROUP BY course_id, term
)

SELECT
    stg_grade_record.student_key,
    sum((stg_grade_record.score - course.mean_score) * stg_grade_record.credit_tenths) / nullif(sum(stg_grade_record.credit_tenths), 0) AS value,
    count(*) AS n,
    1.0 AS cov
FROM stg_grade_record
INNER JOIN course ON course.course_id = stg_grade_record.course_id AND course.term = stg_grade_record.term
WHERE stg_grade_record.exam_kind = 'final'
GROUP BY stg_grade_record.student_key

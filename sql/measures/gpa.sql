/*---
kind      = "measure"
about     = "Mean score of final examinations of the two newest terms, weighted by credits (均分)."
about_zh  = "最近两个有成绩的学期里，期末考试和重考成绩按学分加权的平均分。"
title_zh  = "加权均分"
title_en  = "Mean score"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "grade"
unit      = "points"
window    = "1y"
n_min     = 4
cov_min   = 0.0
mad_floor = 2.0
class     = "trace"
---*/

WITH graded AS (
    SELECT
        student_key,
        score,
        credit_tenths,
        dense_rank() OVER (PARTITION BY student_key ORDER BY term DESC) AS term_place
    FROM stg_grade_record
    WHERE exam_kind IN ('final', 'retake')
)

SELECT
    student_key,
    CAST(sum(score * credit_tenths) AS DECIMAL(18, 6)) / nullif(sum(credit_tenths), 0) AS value,
    count(*) AS n,
    1.0 AS cov
FROM graded
WHERE term_place <= 2
GROUP BY student_key

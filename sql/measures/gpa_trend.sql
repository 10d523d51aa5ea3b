/*---
kind      = "measure"
about     = "Change of the mean score a term: the middle of all slopes between terms, which one odd term does not bend (成绩趋势)."
about_zh  = "各学期期末成绩（按学分加权的平均分）每学期变化多少：取各学期两两之间斜率的中位数，个别学期的起落影响不大。"
title_zh  = "成绩趋势"
title_en  = "Trend of scores"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "grade"
unit      = "points"
window    = "5y"
n_min     = 3
cov_min   = 0.0
mad_floor = 0.5
class     = "trace"
---*/

WITH term_mean AS (
    SELECT
        student_key,
        term,
        CAST(sum(score * credit_tenths) AS DECIMAL(18, 6)) / nullif(sum(credit_tenths), 0) AS mean_score
    FROM stg_grade_record
    WHERE exam_kind = 'final'
    GROUP BY student_key, term
),

numbered AS (
    SELECT student_key, mean_score, row_number() OVER (PARTITION BY student_key ORDER BY term) AS term_no
    FROM term_mean
)

SELECT
    student_key,
    theil_sen(term_no, mean_score) AS value,
    count(*) AS n,
    1.0 AS cov
FROM numbered
GROUP BY student_key

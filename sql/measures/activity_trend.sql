/*---
kind      = "measure"
about     = "Change of activities attended a month, over four months: the middle of all slopes (参与趋势)."
about_zh  = "近四个月（每30天为一个月）参加活动数每月变化多少：取各月两两之间斜率的中位数，个别月份多一次少一次影响不大。活动数据未覆盖的月份不计。"
title_zh  = "参与趋势"
title_en  = "Trend of participation"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "evaluation"]
dimension = "practice"
facet     = "participation"
unit      = "count"
window    = "120d"
n_min     = 3
cov_min   = 0.0
mad_floor = 0.5
class     = "trace"
---*/

WITH month AS (
    SELECT unnest([1, 2, 3, 4]) AS month_no
),

covered AS (
    SELECT min(occurred_on) AS first_on
    FROM fct_participation
    HAVING count(*) > 0
),

-- Four rows, worked out before the students come in: a join by comparison holds its first side in memory.
told AS (
    SELECT month.month_no
    FROM covered
    CROSS JOIN month
    WHERE arrow_cast(covered.first_on, 'Int32') <= arrow_cast($as_of, 'Int32') - 30 * (4 - month.month_no) - 15
),

counted AS (
    SELECT
        dim_student.student_key,
        told.month_no,
        count(DISTINCT fct_participation.activity_id) AS activity_n
    FROM told
    CROSS JOIN dim_student
    LEFT JOIN fct_participation ON fct_participation.student_key = dim_student.student_key
        AND arrow_cast(fct_participation.occurred_on, 'Int32') >= arrow_cast($as_of, 'Int32') - 30 * (5 - told.month_no)
        AND arrow_cast(fct_participation.occurred_on, 'Int32') < arrow_cast($as_of, 'Int32') - 30 * (4 - told.month_no)
    WHERE dim_student.as_of_on = $as_of
    GROUP BY dim_student.student_key, told.month_no
)

SELECT
    student_key,
    theil_sen(month_no, activity_n) AS value,
    count(*) AS n,
    1.0 AS cov
FROM counted
GROUP BY student_key

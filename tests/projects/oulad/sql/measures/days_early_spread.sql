/*---
kind      = "measure"
about     = "Median absolute deviation of the days from submission to deadline (提交时间离散度)."
title_zh  = "提交时间离散度"
title_en  = "Spread of days before the deadline"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "task"
unit      = "days"
window    = "300d"
n_min     = 3
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    student_key,
    mad(CAST(days_early AS DOUBLE)) AS value,
    count(days_early) AS n,
    1.0 AS cov
FROM fct_assessment
WHERE is_current AND is_due AND assessment_type <> 'exam'
GROUP BY student_key

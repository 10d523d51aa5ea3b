/*---
kind      = "measure"
about     = "Median of the days from submission to deadline, negative where late; banked ones aside (提前提交天数)."
title_zh  = "提前提交天数"
title_en  = "Days before the deadline"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "task"
unit      = "days"
window    = "300d"
n_min     = 1
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    student_key,
    median(days_early) AS value,
    count(days_early) AS n,
    1.0 AS cov
FROM fct_assessment
WHERE is_current AND is_due AND assessment_type <> 'exam'
GROUP BY student_key

/*---
kind      = "measure"
about     = "Assessments submitted of those due (已交任务数)."
title_zh  = "已交任务数"
title_en  = "Assessments submitted"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "task"
unit      = "count"
window    = "300d"
n_min     = 1
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    student_key,
    submitted_n AS value,
    due_n AS n,
    1.0 AS cov
FROM fct_enrolment
WHERE as_of_on = $as_of AND is_current

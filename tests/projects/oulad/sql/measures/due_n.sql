/*---
kind      = "measure"
about     = "Assessments whose deadline is over, examinations aside (到期任务数)."
title_zh  = "到期任务数"
title_en  = "Assessments due"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "task"
unit      = "count"
window    = "300d"
n_min     = 0
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    student_key,
    due_n AS value,
    due_n AS n,
    1.0 AS cov
FROM fct_enrolment
WHERE as_of_on = $as_of AND is_current

/*---
kind      = "measure"
about     = "1 where the first task that a tutor marks is due and not submitted, else 0 (首次任务缺失)."
title_zh  = "首次任务缺失"
title_en  = "First task missing"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "task"
unit      = "flag"
window    = "300d"
n_min     = 1
cov_min   = 0.0
mad_floor = 0.5
class     = "trace"
---*/

SELECT
    student_key,
    CASE WHEN is_first_missing THEN 1 ELSE 0 END AS value,
    due_n AS n,
    1.0 AS cov
FROM fct_enrolment
WHERE as_of_on = $as_of AND is_current AND is_first_missing IS NOT NULL

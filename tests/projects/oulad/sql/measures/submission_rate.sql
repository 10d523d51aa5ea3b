/*---
kind      = "measure"
about     = "Share of the due assessments that was submitted (任务提交率)."
title_zh  = "任务提交率"
title_en  = "Share submitted"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "task"
unit      = "share"
window    = "300d"
n_min     = 1
cov_min   = 0.0
mad_floor = 0.05
class     = "trace"
---*/

SELECT
    student_key,
    CAST(submitted_n AS DECIMAL(18, 6)) / nullif(due_n, 0) AS value,
    due_n AS n,
    1.0 AS cov
FROM fct_enrolment
WHERE as_of_on = $as_of AND is_current

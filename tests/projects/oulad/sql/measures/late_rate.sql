/*---
kind      = "measure"
about     = "Share of the submitted assessments that came after the deadline (迟交率)."
title_zh  = "迟交率"
title_en  = "Share submitted late"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "task"
unit      = "share"
window    = "300d"
n_min     = 2
cov_min   = 0.0
mad_floor = 0.05
class     = "trace"
---*/

SELECT
    student_key,
    CAST(late_n AS DECIMAL(18, 6)) / nullif(submitted_n, 0) AS value,
    submitted_n AS n,
    1.0 AS cov
FROM fct_enrolment
WHERE as_of_on = $as_of AND is_current

/*---
kind      = "measure"
about     = "Credits studied at the same time (同期学分)."
title_zh  = "同期学分"
title_en  = "Credits studied"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "enrolment"
unit      = "credits"
window    = "300d"
n_min     = 0
cov_min   = 0.0
mad_floor = 10.0
class     = "trace"
---*/

SELECT
    student_key,
    credits AS value,
    1 AS n,
    1.0 AS cov
FROM dim_student
WHERE as_of_on = $as_of

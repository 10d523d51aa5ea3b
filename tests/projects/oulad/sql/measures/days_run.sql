/*---
kind      = "measure"
about     = "Days since the start of the presentation that are over (开课天数)."
title_zh  = "开课天数"
title_en  = "Days since the start"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "enrolment"
unit      = "days"
window    = "300d"
n_min     = 0
cov_min   = 0.0
mad_floor = 7.0
class     = "personal"
---*/

SELECT
    student_key,
    day_no AS value,
    1 AS n,
    1.0 AS cov
FROM dim_student
WHERE as_of_on = $as_of

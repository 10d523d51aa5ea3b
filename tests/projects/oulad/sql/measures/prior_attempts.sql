/*---
kind      = "measure"
about     = "Earlier attempts at the module (此前修读次数)."
title_zh  = "此前修读次数"
title_en  = "Earlier attempts"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "enrolment"
unit      = "count"
window    = "300d"
n_min     = 0
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    student_key,
    prior_attempt_n AS value,
    1 AS n,
    1.0 AS cov
FROM dim_student
WHERE as_of_on = $as_of

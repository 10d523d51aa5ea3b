/*---
kind      = "measure"
about     = "Days with a click up to the latest finished week of 2, 4, 6 and 8; gone five weeks after it (活跃天数)."
title_zh  = "活跃天数"
title_en  = "Days with clicks"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "online"
unit      = "days"
window    = "63d"
n_min     = 2
cov_min   = 0.0
mad_floor = 2.0
class     = "trace"
---*/

SELECT
    student_key,
    active_days AS value,
    week AS n,
    1.0 AS cov
FROM fct_enrolment
WHERE as_of_on = $as_of AND is_current AND week IS NOT NULL AND day_no <= 7 * week + 35

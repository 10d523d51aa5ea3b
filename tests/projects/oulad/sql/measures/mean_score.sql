/*---
kind      = "measure"
about     = "Mean score so far, weighted as the module weights it; plain where all weights are 0 (加权均分)."
title_zh  = "加权均分"
title_en  = "Mean score"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "grade"
unit      = "points"
window    = "300d"
n_min     = 1
cov_min   = 0.0
mad_floor = 2.0
class     = "trace"
---*/

SELECT
    student_key,
    coalesce(
        CAST(weighted_score AS DECIMAL(24, 6)) / nullif(weight_tenths, 0),
        CAST(score_tenths AS DECIMAL(24, 6)) / nullif(scored_n, 0)
    ) / 10 AS value,
    scored_n AS n,
    1.0 AS cov
FROM fct_enrolment
WHERE as_of_on = $as_of AND is_current

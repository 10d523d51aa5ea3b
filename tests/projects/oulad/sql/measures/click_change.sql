/*---
kind      = "measure"
about     = "Log ratio of the clicks of the latest two known weeks to those of the two weeks before, one added to both (点击变化)."
title_zh  = "点击变化"
title_en  = "Change of clicks"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "online"
unit      = "log_ratio"
window    = "63d"
n_min     = 6
cov_min   = 0.0
mad_floor = 0.3
class     = "trace"
---*/

WITH step AS (
    SELECT
        student_key,
        week,
        CASE week WHEN 8 THEN click_8_n - click_6_n WHEN 6 THEN click_6_n - click_4_n END AS latest_n,
        CASE week WHEN 8 THEN click_6_n - click_4_n WHEN 6 THEN click_4_n - click_2_n END AS before_n
    FROM fct_enrolment
    WHERE as_of_on = $as_of AND is_current AND day_no <= 7 * week + 35
)

SELECT
    student_key,
    ln(CAST(latest_n + 1 AS DOUBLE) / (before_n + 1)) AS value,
    week AS n,
    1.0 AS cov
FROM step
WHERE latest_n IS NOT NULL AND before_n IS NOT NULL

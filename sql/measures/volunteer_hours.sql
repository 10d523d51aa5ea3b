/*---
kind      = "measure"
about     = "Hours of volunteering over 120 days (志愿服务时长)."
title_zh  = "志愿服务时长"
title_en  = "Hours of volunteering"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "practice"
facet     = "participation"
unit      = "hour"
window    = "120d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

-- Support is the days of the window that the activity system covers: who took part in nothing is known to have taken part in nothing.
WITH covered AS (
    SELECT least(120, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', min(checked_in_at))) AS BIGINT) / 86400) AS n
    FROM fct_participation
    HAVING count(*) > 0
)

SELECT
    dim_student.student_key,
    CAST(sum(coalesce(fct_participation.hour_tenths, 0)) AS DECIMAL(18, 6)) / 10 AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN fct_participation ON fct_participation.student_key = dim_student.student_key
    AND fct_participation.occurred_on >= $as_of - INTERVAL '120' DAY
    AND fct_participation.kind = 'volunteering'
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

/*---
kind      = "measure"
about     = "Activities organised or helped with over 120 days (组织与服务次数)."
title_zh  = "组织与服务次数"
title_en  = "Activities organised"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "practice"
facet     = "participation"
unit      = "count"
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
    count(DISTINCT fct_participation.activity_id) AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN fct_participation ON fct_participation.student_key = dim_student.student_key
    AND fct_participation.occurred_on >= $as_of - INTERVAL '120' DAY
    AND fct_participation.role IN ('organiser', 'volunteer')
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

/*---
kind      = "measure"
about     = "Requests raised over 180 days that are not resolved (在办诉求)."
title_zh  = "在办诉求"
title_en  = "Open requests"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "request"
facet     = "request"
unit      = "count"
window    = "180d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

-- Support is the days of the window that the request system covers: who asked for nothing is known to have asked for nothing.
WITH covered AS (
    SELECT least(180, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', min(submitted_at))) AS BIGINT) / 86400) AS n
    FROM fct_ticket
    HAVING count(*) > 0
)

SELECT
    dim_student.student_key,
    sum(CASE WHEN fct_ticket.state = 'open' THEN 1 ELSE 0 END) AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN fct_ticket ON fct_ticket.student_key = dim_student.student_key
    AND fct_ticket.submitted_at >= day_start(CAST($as_of - INTERVAL '180' DAY AS DATE))
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

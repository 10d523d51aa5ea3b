/*---
kind      = "measure"
about     = "Requests raised over 180 days that are not resolved (在办诉求)."
title_zh  = "在办诉求"
title_en  = "Open requests"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "request"
unit      = "count"
window    = "180d"
n_min     = 1
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    fct_ticket.student_key,
    sum(CASE WHEN fct_ticket.state = 'open' THEN 1 ELSE 0 END) AS value,
    count(*) AS n,
    1.0 AS cov
FROM fct_ticket
WHERE fct_ticket.student_key IS NOT NULL AND fct_ticket.submitted_at >= day_start(CAST($as_of - INTERVAL '180' DAY AS DATE))
GROUP BY fct_ticket.student_key

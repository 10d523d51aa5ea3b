/*---
kind      = "measure"
about     = "Requests over 180 days beyond the first of their category (重复诉求)."
title_zh  = "重复诉求"
title_en  = "Repeated requests"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "request"
facet     = "request"
unit      = "count"
window    = "180d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

WITH covered AS (
    SELECT least(180, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', min(submitted_at))) AS BIGINT) / 86400) AS n
    FROM fct_ticket
    HAVING count(*) > 0
),

category AS (
    SELECT student_key, category, count(*) AS ticket_n
    FROM fct_ticket
    WHERE submitted_at >= day_start(CAST($as_of - INTERVAL '180' DAY AS DATE)) AND student_key IS NOT NULL
    GROUP BY student_key, category
)

SELECT
    dim_student.student_key,
    sum(CASE WHEN category.ticket_n > 1 THEN category.ticket_n - 1 ELSE 0 END) AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN category ON category.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

/*---
kind      = "measure"
about     = "Days since the oldest request that is still open was raised; 0 where none is (在办诉求最长天数)."
title_zh  = "在办诉求最长天数"
title_en  = "Age of the oldest open request"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "request"
facet     = "request"
unit      = "days"
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
)

SELECT
    dim_student.student_key,
    coalesce(max(CASE WHEN fct_ticket.state = 'open'
        THEN CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', fct_ticket.submitted_at)) AS BIGINT) / 86400 END), 0) AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN fct_ticket ON fct_ticket.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

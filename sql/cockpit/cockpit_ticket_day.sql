/*---
kind         = "table"
about        = "Requests raised, resolved and running past their deadline on each of the last 60 days."
about_zh     = "近60天每天提出、办结和超过时限的诉求件数。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["day_on"]
purpose      = ["cockpit"]

[columns]
day_on     = { about = "Campus day.", about_zh = "校园日。", class = "internal" }
opened_n   = { about = "Requests raised.", about_zh = "提出的诉求数。", class = "internal" }
resolved_n = { about = "Requests resolved.", about_zh = "办结的诉求数。", class = "internal" }
overdue_n  = { about = "Requests whose deadline passed that day without resolution by it.", about_zh = "时限在当天到期而届时未办结的诉求数。", class = "internal" }
---*/

WITH happened AS (
    SELECT campus_on(submitted_at) AS day_on, 'opened' AS what FROM fct_ticket
    UNION ALL
    SELECT campus_on(closed_at), 'resolved' FROM fct_ticket WHERE closed_at IS NOT NULL AND state = 'resolved'
    UNION ALL
    SELECT campus_on(due_at), 'overdue' FROM fct_ticket
    WHERE state <> 'withdrawn' AND due_at < day_start($as_of) AND coalesce(closed_at > due_at, TRUE)
)

SELECT
    day_on,
    sum(CASE WHEN what = 'opened' THEN 1 ELSE 0 END) AS opened_n,
    sum(CASE WHEN what = 'resolved' THEN 1 ELSE 0 END) AS resolved_n,
    sum(CASE WHEN what = 'overdue' THEN 1 ELSE 0 END) AS overdue_n
FROM happened
WHERE day_on >= $as_of - INTERVAL '60' DAY AND day_on < $as_of
GROUP BY day_on

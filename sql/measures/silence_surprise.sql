/*---
kind      = "measure"
about     = "How unusual the silence is against the student's own gaps between two days: minus the logarithm of the chance of one at least as long, on days of the same kind (数据无记录意外度)."
about_zh  = "与自己以往相邻两天之间的间隔相比，目前这段没有记录的时间有多少见：取出现至少这么长间隔的可能性的自然对数的相反数，单位奈特。只与同类日子相比，周末和假期另算；回看60天。"
title_zh  = "无记录意外度"
title_en  = "Surprise of the silence"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["public_safety"]
dimension = "safety"
facet     = "trace"
unit      = "nats"
window    = "60d"
n_min     = 10
cov_min   = 0.0
mad_floor = 0.5
class     = "trace"
---*/

-- From the last evidence of a day to the first of the next one; weekends and holidays have gaps of their own.
WITH seen AS (
    SELECT student_key, last_seen_at, lead(first_seen_at) OVER own AS next_at, is_free
    FROM int_trace_day
    WINDOW own AS (PARTITION BY student_key ORDER BY occurred_on)
),

last_day AS (
    SELECT
        student_key,
        max(last_seen_at) AS last_seen_at,
        first_value(is_free ORDER BY last_seen_at DESC, is_free) AS is_free
    FROM seen
    GROUP BY student_key
)

SELECT
    last_day.student_key,
    gap_surprise(
        date_part('epoch', seen.next_at) - date_part('epoch', seen.last_seen_at),
        date_part('epoch', day_start($as_of)) - date_part('epoch', last_day.last_seen_at)
    ) AS value,
    count(seen.next_at) AS n,
    min(int_coverage.all_cov) AS cov
FROM last_day
CROSS JOIN int_coverage
INNER JOIN seen ON seen.student_key = last_day.student_key AND seen.is_free = last_day.is_free AND seen.next_at IS NOT NULL
GROUP BY last_day.student_key

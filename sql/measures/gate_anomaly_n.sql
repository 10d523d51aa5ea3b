/*---
kind      = "measure"
about     = "Entries into the dormitory right after an entry over 28 days (闸机异常): somebody walked out behind another, or the reader missed it. For the safety desk only."
title_zh  = "闸机异常次数"
title_en  = "Gate anomalies"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["public_safety"]
dimension = "safety"
facet     = "device"
unit      = "count"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    sum(int_campus_day.double_in_n) AS value,
    count(*) AS n,
    min(int_coverage.dorm_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

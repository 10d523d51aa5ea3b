/*---
kind      = "measure"
about     = "Events from 00:00 to 05:00 over all events (深夜活动占比)."
about_zh  = "近28天的在校日里，00:00至05:00的校内记录占全部校内记录的比例；人脸通行不计。"
title_zh  = "深夜活动占比"
title_en  = "Night activity"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "share"
window    = "28d"
n_min     = 30
cov_min   = 0.8
mad_floor = 0.01
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(sum(int_campus_day.night_n) AS DECIMAL(18, 6)) / nullif(sum(int_campus_day.event_n), 0) AS value,
    sum(int_campus_day.event_n) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

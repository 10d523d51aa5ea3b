/*---
kind      = "measure"
about     = "Spread of meals, showers, first events and returns over the hours of the day: 0 is one hour, 1 is all alike (活动时段分散度)."
about_zh  = "近28天里，用餐、洗浴、每天第一条记录和晚间回寝在一天各小时中的分散程度：0为都在同一小时，1为各小时一样多。"
title_zh  = "活动时段分散度"
title_en  = "Spread over the hours"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "share"
window    = "28d"
n_min     = 40
cov_min   = 0.8
mad_floor = 0.02
class     = "trace"
---*/

WITH event AS (
    SELECT student_key, breakfast_minute AS minute FROM int_campus_day WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    UNION ALL
    SELECT student_key, lunch_minute FROM int_campus_day WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    UNION ALL
    SELECT student_key, dinner_minute FROM int_campus_day WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    UNION ALL
    SELECT student_key, shower_minute FROM int_campus_day WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    UNION ALL
    SELECT student_key, first_minute FROM int_campus_day WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    UNION ALL
    SELECT student_key, evening_last_in_minute FROM int_campus_day WHERE occurred_on >= $as_of - INTERVAL '28' DAY
)

SELECT
    event.student_key,
    hour_entropy(event.minute) AS value,
    count(event.minute) AS n,
    min(int_coverage.all_cov) AS cov
FROM event
CROSS JOIN int_coverage
GROUP BY event.student_key

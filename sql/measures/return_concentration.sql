/*---
kind      = "measure"
about     = "How firmly the time of the evening return is kept: 1 is the same minute, 0 is any hour (归寝时间集中度)."
about_zh  = "近28夜里，晚间回寝时间有多集中：1为总在同一分钟，0为各个时间都有。没有进门记录的夜晚不计。"
title_zh  = "归寝时间集中度"
title_en  = "Steadiness of the return"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "share"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 0.01
class     = "trace"
---*/

SELECT
    int_night.student_key,
    circular_concentration(int_night.evening_last_in_minute) AS value,
    count(int_night.evening_last_in_minute) AS n,
    CAST(sum(int_night.gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(int_night.gate_minutes_due), 0) AS cov
FROM int_night
WHERE int_night.occurred_on >= $as_of - INTERVAL '28' DAY
GROUP BY int_night.student_key

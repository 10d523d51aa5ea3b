/*---
kind      = "measure"
about     = "Median minute of the last entry into the dormitory after 20:00 (归寝时间), minutes since midnight of that day."
about_zh  = "近28夜里，每晚20:00之后最后一次进入宿舍的时间，取中位数，以当日零点起的分钟数计。没有进门记录的夜晚不计；人脸通行不计。"
title_zh  = "晚间归寝时间"
title_en  = "Evening return"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "minute_of_day"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 15.0
class     = "trace"
---*/

SELECT
    int_night.student_key,
    median(CAST(int_night.evening_last_in_minute AS DOUBLE)) AS value,
    count(int_night.evening_last_in_minute) AS n,
    CAST(sum(int_night.gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(int_night.gate_minutes_due), 0) AS cov
FROM int_night
WHERE int_night.occurred_on >= $as_of - INTERVAL '28' DAY
GROUP BY int_night.student_key

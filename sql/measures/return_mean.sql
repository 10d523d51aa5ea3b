/*---
kind      = "measure"
about     = "Mean time of the evening return on the round of the clock, minutes since midnight of that day, beyond 1440 after midnight: what the steadiness of the return is the spread of (平均归寝时间)."
about_zh  = "近28夜里，每晚20:00之后最后一次进入宿舍的时间，按钟面求平均（23:50与00:10的平均是零点，不是中午），以当日零点起的分钟数计，午夜之后超过1440；与“归寝时间集中度”是同一组时间。没有进门记录的夜晚不计；人脸通行不计。"
title_zh  = "平均归寝时间"
title_en  = "Mean return"
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

-- What lies before 04:00 belongs to the evening before: counted on from there, it can be compared with other weeks.
WITH turned AS (
    SELECT
        student_key,
        circular_mean(evening_last_in_minute) AS minute,
        count(evening_last_in_minute) AS n,
        sum(gate_minutes) AS gate_minutes,
        sum(gate_minutes_due) AS gate_minutes_due
    FROM int_night
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY student_key
)

SELECT
    student_key,
    CASE WHEN minute < 240 THEN minute + 1440 ELSE minute END AS value,
    n,
    CAST(gate_minutes AS DECIMAL(18, 6)) / nullif(gate_minutes_due, 0) AS cov
FROM turned

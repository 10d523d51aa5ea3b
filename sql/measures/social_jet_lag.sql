/*---
kind      = "measure"
about     = "Minutes between the median first event of weekends and that of teaching days (社会时差). Holidays are neither."
about_zh  = "近56天里，周末与教学日每天第一条校内记录时间的中位数相差多少分钟。节假日两边都不算。"
title_zh  = "社会时差"
title_en  = "Social jet lag"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "minutes"
window    = "56d"
n_min     = 12
cov_min   = 0.8
mad_floor = 15.0
class     = "trace"
---*/

WITH middle AS (
    SELECT
        student_key,
        median(CASE WHEN is_weekend THEN CAST(first_minute AS DOUBLE) END) AS weekend_minute,
        median(CASE WHEN is_teaching THEN CAST(first_minute AS DOUBLE) END) AS teaching_minute,
        -- Four weekend days and twelve teaching days.
        least(3 * sum(CASE WHEN is_weekend AND first_minute IS NOT NULL THEN 1 ELSE 0 END),
            sum(CASE WHEN is_teaching AND first_minute IS NOT NULL THEN 1 ELSE 0 END)) AS n
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '56' DAY AND is_on_campus
    GROUP BY student_key
)

SELECT
    middle.student_key,
    abs(middle.weekend_minute - middle.teaching_minute) AS value,
    middle.n,
    int_coverage.all_cov AS cov
FROM middle
CROSS JOIN int_coverage

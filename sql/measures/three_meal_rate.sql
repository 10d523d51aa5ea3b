/*---
kind      = "measure"
about     = "Meals over three a campus day (三餐完整率); at most 1 a day."
title_zh  = "三餐完整率"
title_en  = "Three-meal completeness"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "meals"
unit      = "share"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 0.05
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(sum(least(int_campus_day.meal_n, 3)) AS DECIMAL(18, 6)) / (3 * count(*)) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

/*---
kind      = "measure"
about     = "Median distance of daily canteen spending from its median, over that median (消费波动)."
about_zh  = "近28天的在校日里，食堂日消费偏离其中位数的距离，取中位数，再除以日消费的中位数。"
title_zh  = "消费波动"
title_en  = "Volatility of spending"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "economy"
unit      = "ratio"
window    = "28d"
n_min     = 15
cov_min   = 0.8
mad_floor = 0.05
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    mad(CAST(int_campus_day.canteen_fen AS DOUBLE)) / nullif(median(CAST(int_campus_day.canteen_fen AS DOUBLE)), 0) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

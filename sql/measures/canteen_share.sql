/*---
kind      = "measure"
about     = "Spent in canteens over all card spending (食堂恩格尔)."
about_zh  = "近28天的在校日里，食堂消费占校园卡全部消费的比例。没有任何刷卡消费时不计算。"
title_zh  = "食堂消费占比"
title_en  = "Canteen share of spending"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "economy"
unit      = "share"
window    = "28d"
n_min     = 15
cov_min   = 0.8
mad_floor = 0.05
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(sum(int_campus_day.canteen_fen) AS DECIMAL(18, 6)) / nullif(sum(int_campus_day.spent_fen), 0) AS value,
    sum(int_campus_day.card_n) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

/*---
kind      = "measure"
about     = "Canteen meals a campus day; purchases within 45 minutes are one meal."
about_zh  = "近28天里平均每个在校日的食堂用餐次数；间隔不超过45分钟的消费算一餐。"
title_zh  = "日均用餐次数"
title_en  = "Meals a day"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "meals"
unit      = "count"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 0.2
peer_also = ["int_main_canteen.canteen"]
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(sum(int_campus_day.meal_n) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

/*---
kind      = "measure"
about     = "Spent in canteens over the number of meals, in yuan."
about_zh  = "近28天的在校日里，食堂消费除以用餐次数，以元计。"
title_zh  = "餐均价"
title_en  = "Price of a meal"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "economy"
unit      = "yuan"
window    = "28d"
n_min     = 15
cov_min   = 0.8
mad_floor = 0.5
peer_also = ["int_main_canteen.canteen"]
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(sum(int_campus_day.canteen_fen) AS DECIMAL(18, 6)) / (100 * nullif(sum(int_campus_day.meal_n), 0)) AS value,
    sum(int_campus_day.meal_n) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

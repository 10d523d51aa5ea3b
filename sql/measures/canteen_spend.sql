/*---
kind      = "measure"
about     = "Spent in canteens, in yuan, per 28 days on campus: days away are not days without."
about_zh  = "近28天的在校日里在食堂的消费，折算成28个在校日，以元计：离校的日子不当作没有消费的日子。"
title_zh  = "食堂月消费"
title_en  = "Canteen spend"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "economy"
unit      = "yuan"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 30.0
peer_also = ["int_main_canteen.canteen"]
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(28 * sum(int_campus_day.canteen_fen) AS DECIMAL(18, 6)) / 100 / count(*) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

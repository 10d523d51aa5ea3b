/*---
kind      = "measure"
about     = "Share of campus days with a canteen purchase between 06:00 and 09:30 (早餐率)."
about_zh  = "近28天的在校日中，06:00至09:30在食堂有消费的天数占比。在校日指当天有任何校内记录的日子，离校的日子不计。"
title_zh  = "早餐率"
title_en  = "Breakfast rate"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "share"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 0.05
peer_also = ["int_main_canteen.canteen"]
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(sum(CASE WHEN int_campus_day.breakfast_n > 0 THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

/*---
kind      = "measure"
about     = "Days on which less than ten yuan were left on the card after some payment, per 28 days on campus (余额不足天数)."
about_zh  = "某次付款后校园卡余额不足十元的天数，按近28天的在校日折算成28个在校日。"
title_zh  = "余额不足天数"
title_en  = "Days of low balance"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "economy"
unit      = "count"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(28 * sum(CASE WHEN int_campus_day.is_low_balance THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

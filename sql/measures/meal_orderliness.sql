/*---
kind      = "measure"
about     = "Orderliness of meals: minus the Lempel-Ziv entropy of the half-hours in which meals begin, nats; nearer to zero is more regular (用餐规律性)."
about_zh  = "近28天里，三餐在哪个半小时开始的规律程度：取这些半小时序列的 Lempel-Ziv 熵的相反数，单位奈特，越接近0越有规律。"
title_zh  = "用餐规律性"
title_en  = "Orderliness of meals"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "nats"
window    = "28d"
n_min     = 30
cov_min   = 0.8
mad_floor = 0.1
peer_also = ["int_main_canteen.canteen"]
class     = "trace"
---*/

WITH meal AS (
    SELECT student_key, occurred_on, breakfast_minute AS minute
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND breakfast_minute IS NOT NULL

    UNION ALL

    SELECT student_key, occurred_on, lunch_minute
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND lunch_minute IS NOT NULL

    UNION ALL

    SELECT student_key, occurred_on, dinner_minute
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND dinner_minute IS NOT NULL
)

SELECT
    meal.student_key,
    -actual_entropy(1440 * arrow_cast(meal.occurred_on, 'Int32') + meal.minute, meal.minute / 30) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM meal
CROSS JOIN int_coverage
GROUP BY meal.student_key

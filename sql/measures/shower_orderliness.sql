/*---
kind      = "measure"
about     = "Minus the Lempel-Ziv entropy of the half-hours of the first shower of a day, nats; nearer to zero is more regular (洗浴规律性)."
about_zh  = "近56天里，每天第一次洗浴在哪个半小时的规律程度：取这些半小时序列的 Lempel-Ziv 熵的相反数，单位奈特，越接近0越有规律。没有洗浴记录的日子不计。"
title_zh  = "洗浴规律性"
title_en  = "Orderliness of showers"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "nats"
window    = "56d"
n_min     = 30
cov_min   = 0.8
mad_floor = 0.1
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    -actual_entropy(arrow_cast(int_campus_day.occurred_on, 'Int32'), int_campus_day.shower_minute / 30) AS value,
    count(int_campus_day.shower_minute) AS n,
    min(int_coverage.all_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '56' DAY
GROUP BY int_campus_day.student_key

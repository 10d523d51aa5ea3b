/*---
kind      = "measure"
about     = "Hours in the library per 28 days on campus (在馆时长); an entry without exit counts until the library closes; where more than half of the entries have none, nothing is said."
about_zh  = "近28天的在校日里在图书馆的时长，折算成28个在校日，以小时计。只有进馆没有出馆的，算到再次进馆或闭馆为止；超过一半进馆都没有出馆时，不计算。"
title_zh  = "在馆时长"
title_en  = "Hours in the library"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "study"
unit      = "hour"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(28 * sum(int_campus_day.library_minutes) AS DECIMAL(18, 6)) / 60 / count(*) AS value,
    CASE WHEN 2 * sum(int_campus_day.library_open_n) <= sum(int_campus_day.library_in_n) THEN count(*) ELSE 0 END AS n,
    min(int_coverage.library_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

/*---
kind      = "measure"
about     = "Hot water fetched in the teaching buildings per 28 days on campus (教学楼打水): a trace of staying to study."
about_zh  = "近28天的在校日里在教学楼打热水的次数，折算成28个在校日：留在那里学习的一点痕迹。"
title_zh  = "教学楼打水次数"
title_en  = "Water in teaching buildings"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "study"
unit      = "count"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(28 * sum(int_campus_day.study_water_n) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    min(int_coverage.all_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

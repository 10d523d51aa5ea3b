/*---
kind      = "measure"
about     = "Spread of study over library and teaching buildings: 0 is one place, 1 is both alike (学习地点分散度)."
about_zh  = "近28天的在校日里，学习在图书馆（进馆次数）和教学楼（打水次数）之间的分散程度：0为只在一处，1为两处一样多。"
title_zh  = "学习地点分散度"
title_en  = "Spread of study places"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "study"
unit      = "share"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 0.05
class     = "trace"
---*/

WITH place AS (
    SELECT student_key, sum(library_in_n) AS library_n, sum(study_water_n) AS teaching_n
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND is_on_campus
    GROUP BY student_key
),

part AS (
    SELECT
        student_key,
        library_n + teaching_n AS n,
        CAST(library_n AS DOUBLE) / nullif(library_n + teaching_n, 0) AS library_part,
        CAST(teaching_n AS DOUBLE) / nullif(library_n + teaching_n, 0) AS teaching_part
    FROM place
)

SELECT
    part.student_key,
    abs(CASE WHEN part.library_part > 0 THEN part.library_part * ln(part.library_part) ELSE 0 END
        + CASE WHEN part.teaching_part > 0 THEN part.teaching_part * ln(part.teaching_part) ELSE 0 END) / ln(2.0) AS value,
    part.n,
    int_coverage.library_cov AS cov
FROM part
CROSS JOIN int_coverage

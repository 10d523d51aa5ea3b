/*---
kind      = "measure"
about     = "Others with whom the student eats more often than chance, over 28 days (共餐人数)."
about_zh  = "近28天里，一起用餐的次数多于偶然的其他人数。已退出社交类指标的人不计。"
title_zh  = "共餐人数"
title_en  = "People eaten with"
owner     = "psychology_center"
subject   = "student_key"
purpose   = ["care"]
dimension = "social"
facet     = "company"
unit      = "count"
window    = "28d"
n_min     = 20
cov_min   = 0.8
mad_floor = 1.0
class     = "closed"
---*/

WITH tie AS (
    SELECT u AS student_key, v AS other_key FROM closed_edge WHERE as_of_on = $as_of

    UNION ALL

    SELECT v, u FROM closed_edge WHERE as_of_on = $as_of
),

meal AS (
    SELECT student_key, count(DISTINCT meal) AS n
    FROM closed_swipe
    GROUP BY student_key
)

SELECT
    meal.student_key,
    count(tie.other_key) AS value,
    max(meal.n) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM meal
CROSS JOIN int_coverage
LEFT JOIN tie ON tie.student_key = meal.student_key
GROUP BY meal.student_key

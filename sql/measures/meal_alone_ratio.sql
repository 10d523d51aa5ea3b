/*---
kind      = "measure"
about     = "Share of canteen meals at which none of those eaten with paid within a minute; meals at which somebody paid who takes no part in social measures are left out: they may have eaten together (独自用餐占比)."
about_zh  = "近四周的食堂用餐中，平时一起用餐的人没有一个在前后一分钟内付款的比例。前后一分钟内有已退出社交类指标的人付款的那一餐不计：也许正是与其一起用餐。"
title_zh  = "独自用餐占比"
title_en  = "Meals alone"
owner     = "psychology_center"
subject   = "student_key"
purpose   = ["care"]
dimension = "social"
facet     = "company"
unit      = "share"
window    = "28d"
n_min     = 20
cov_min   = 0.8
mad_floor = 0.05
class     = "closed"
---*/

WITH tie AS (
    SELECT u AS student_key, v AS other_key FROM closed_edge WHERE as_of_on = $as_of

    UNION ALL

    SELECT v, u FROM closed_edge WHERE as_of_on = $as_of
),

meal AS (
    SELECT student_key, meal, hall, min(second) AS second
    FROM closed_swipe
    GROUP BY student_key, meal, hall
),

-- Payments within a minute have the same minute or the next: so few are compared.
left_meal AS (
    SELECT closed_meal.meal, closed_meal.hall, closed_meal.second, closed_meal.second / 60 + near.step AS minute
    FROM closed_meal
    CROSS JOIN (VALUES (-1), (0), (1)) AS near (step)
    WHERE closed_meal.has_left
),

-- Who ate beside somebody who left was perhaps with them: that meal tells nothing of being alone.
unknown AS (
    SELECT DISTINCT meal.student_key, meal.meal
    FROM meal
    INNER JOIN left_meal ON left_meal.meal = meal.meal AND left_meal.hall = meal.hall AND left_meal.minute = meal.second / 60
    WHERE abs(meal.second - left_meal.second) <= 60
),

told AS (
    SELECT meal.student_key, meal.meal, meal.hall, meal.second
    FROM meal
    LEFT ANTI JOIN unknown ON unknown.student_key = meal.student_key AND unknown.meal = meal.meal
),

together AS (
    SELECT DISTINCT own.student_key, own.meal
    FROM tie
    INNER JOIN told AS own ON own.student_key = tie.student_key
    INNER JOIN meal AS other ON other.student_key = tie.other_key AND other.meal = own.meal AND other.hall = own.hall
    WHERE abs(own.second - other.second) <= 60
),

total AS (
    SELECT student_key, count(DISTINCT meal) AS n
    FROM told
    GROUP BY student_key
),

met AS (
    SELECT student_key, count(*) AS together_n
    FROM together
    GROUP BY student_key
)

SELECT
    total.student_key,
    1 - CAST(coalesce(met.together_n, 0) AS DECIMAL(18, 6)) / total.n AS value,
    total.n,
    int_coverage.canteen_cov AS cov
FROM total
CROSS JOIN int_coverage
LEFT JOIN met ON met.student_key = total.student_key

/*---
kind      = "measure"
about     = "Logarithm of mean daily meals of two weeks over that of the eight weeks before."
about_zh  = "最近两周日均用餐次数与此前八周日均用餐次数之比的自然对数，只看在校的教学日：0为没有变化，负数为减少。"
title_zh  = "用餐次数变化"
title_en  = "Change of meals"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "meals"
unit      = "log_ratio"
window    = "70d"
n_min     = 20
cov_min   = 0.8
mad_floor = 0.1
class     = "trace"
---*/

WITH day AS (
    SELECT
        int_campus_day.student_key,
        int_campus_day.meal_n,
        int_campus_day.occurred_on >= $as_of - INTERVAL '14' DAY AS is_now
    FROM int_campus_day
    WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '70' DAY
        AND int_campus_day.is_on_campus
        AND int_campus_day.is_teaching
),

total AS (
    SELECT
        student_key,
        sum(CASE WHEN is_now THEN meal_n ELSE 0 END) AS now_n,
        sum(CASE WHEN is_now THEN 1 ELSE 0 END) AS now_days,
        sum(CASE WHEN is_now THEN 0 ELSE meal_n END) AS past_n,
        sum(CASE WHEN is_now THEN 0 ELSE 1 END) AS past_days
    FROM day
    GROUP BY student_key
)

-- Half a meal is added to both sides: whoever ate nothing for two weeks has no logarithm otherwise.
SELECT
    total.student_key,
    ln(((total.now_n + 0.5) / nullif(total.now_days, 0)) / ((total.past_n + 0.5) / nullif(total.past_days, 0))) AS value,
    least(3 * total.now_days, total.past_days) AS n,
    int_coverage.canteen_cov AS cov
FROM total
CROSS JOIN int_coverage

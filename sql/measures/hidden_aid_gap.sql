/*---
kind      = "measure"
about     = "What a month in the canteens costs less than the benchmark, for who eats there at least sixty times a month and spends little in two months running (隐形资助测算). It is an offer of help, never a finding of need."
title_zh  = "隐形资助测算"
title_en  = "Gap for hidden aid"
owner     = "student_aid_center"
subject   = "student_key"
purpose   = ["service"]
dimension = "life"
facet     = "economy"
unit      = "yuan"
window    = "56d"
n_min     = 60
cov_min   = 0.8
mad_floor = 30.0
class     = "closed"

[settings]
meals_min     = 60
spend_fen_max = 42000    # a month
benchmark_fen = 63000
share_percent = 10
---*/

WITH month_sum AS (
    SELECT
        student_key,
        sum(CASE WHEN occurred_on >= $as_of - INTERVAL '28' DAY THEN meal_n ELSE 0 END) AS now_meals,
        sum(CASE WHEN occurred_on >= $as_of - INTERVAL '28' DAY THEN canteen_fen ELSE 0 END) AS now_fen,
        sum(CASE WHEN occurred_on < $as_of - INTERVAL '28' DAY THEN meal_n ELSE 0 END) AS past_meals,
        sum(CASE WHEN occurred_on < $as_of - INTERVAL '28' DAY THEN canteen_fen ELSE 0 END) AS past_fen
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '56' DAY AND is_on_campus
    GROUP BY student_key
),

placed AS (
    SELECT now_fen, row_number() OVER (ORDER BY now_fen, student_key) AS place, count(*) OVER () AS people
    FROM month_sum
    WHERE now_meals >= ${meals_min}
),

-- The threshold is the school's own constant, or what the cheapest share of those who eat here pays, whichever is less.
threshold AS (
    SELECT least(${spend_fen_max}, coalesce(max(CASE WHEN place <= greatest(1, people * ${share_percent} / 100) THEN now_fen END), 0)) AS fen
    FROM placed
)

SELECT
    month_sum.student_key,
    CASE WHEN month_sum.past_meals >= ${meals_min} AND month_sum.now_fen <= threshold.fen AND month_sum.past_fen <= threshold.fen
        THEN CAST(greatest(0, ${benchmark_fen} - month_sum.now_fen) AS DECIMAL(18, 6)) / 100 ELSE 0 END AS value,
    month_sum.now_meals AS n,
    int_coverage.canteen_cov AS cov
FROM month_sum
CROSS JOIN threshold
CROSS JOIN int_coverage

/*---
kind         = "table"
about        = "What a month in the canteens costs less than the benchmark, for who eats there at least sixty times a month and spends little two months running (封闭: 隐形资助测算). An offer of help, never a finding of need."
owner        = "student_aid_center"
materialized = "as_of"
cadence      = "week"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["aid"]

[settings]
meals_min     = 60
spend_fen_max = 42000    # a month
benchmark_fen = 63000
share_percent = 10       # of the cheapest who eat here
cov_min       = 0.8

[columns]
student_key = { about = "The student, pseudonymous.", class = "closed" }
gap_fen     = { unit = "fen", about = "Benchmark less what was spent in the last 28 days.", class = "closed" }
meal_n      = { about = "Meals of the last 28 days.", class = "closed" }
spend_fen   = { unit = "fen", about = "Spent in them.", class = "closed" }
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

-- Who eats elsewhere is not known, so fewer than sixty meals say nothing; nor does a month of broken terminals.
SELECT
    month_sum.student_key,
    greatest(0, ${benchmark_fen} - month_sum.now_fen) AS gap_fen,
    month_sum.now_meals AS meal_n,
    month_sum.now_fen AS spend_fen
-- The one row comes first: a join by comparison holds its first side in memory.
FROM threshold
CROSS JOIN int_coverage
CROSS JOIN month_sum
WHERE month_sum.now_meals >= ${meals_min}
    AND month_sum.past_meals >= ${meals_min}
    AND month_sum.now_fen <= threshold.fen
    AND month_sum.past_fen <= threshold.fen
    AND int_coverage.canteen_cov >= ${cov_min}

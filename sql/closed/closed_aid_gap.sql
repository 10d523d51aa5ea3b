/*---
kind         = "table"
about        = "What a month in the canteens costs less than the benchmark, for who eats there at least sixty times a month and spends little two months running, held against who eats at the same level of prices (封闭: 隐形资助测算). An offer of help, never a finding of need."
about_zh     = "封闭库：每月在食堂用餐至少六十次、连续两个月消费较少的学生，一个月的食堂花费比基准少多少；与在同一价格水平用餐的人相比。这是提供帮助的线索，不是对困难的认定。"
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
people_min    = 20       # who eat at one level of prices; with fewer of them the whole campus is the measure
level_share   = 0.1      # a canteen that costs a tenth less or more than the middle one has a level of its own
canteen_till  = "T-C"    # begin of the names of the tills of canteens: T-C1-03 is one of the first
cov_min       = 0.8

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
gap_fen     = { title_zh = "隐形资助规则", title_en = "the hidden-aid rule", unit = "fen", about = "Benchmark less what was spent in the last 28 days.", about_zh = "基准减去近28天的花费。", class = "closed" }
meal_n      = { about = "Meals of the last 28 days.", about_zh = "近28天的用餐次数。", class = "closed" }
price_level = { about = "low, middle or high: prices of the canteen where the student eats most.", about_zh = "low 低、middle 中或 high 高：学生用餐最多的食堂的价格水平。", class = "closed" }
paid_fen    = { unit = "fen", about = "Hidden aid that was paid within 180 days; nobody is to be offered twice what is on its way.", about_zh = "180天内已发放的隐形资助；已在途中的不再重复提供。", class = "closed" }
spend_fen   = { unit = "fen", about = "Spent in them.", about_zh = "在其中的花费。", class = "closed" }
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

bought AS (
    SELECT student_key, split_part(terminal_id, '-', 2) AS canteen, count(*) AS n, sum(amount_fen) AS fen
    FROM stg_card_txn
    WHERE merchant_kind = 'canteen' AND starts_with(terminal_id, ${canteen_till}) AND occurred_on >= $as_of - INTERVAL '56' DAY
    GROUP BY student_key, split_part(terminal_id, '-', 2)
),

canteen AS (
    SELECT canteen, CAST(sum(fen) AS DECIMAL(18, 6)) / sum(n) AS fen
    FROM bought
    GROUP BY canteen
),

campus AS (
    SELECT CAST(sum(fen) AS DECIMAL(18, 6)) / sum(n) AS fen
    FROM bought
    HAVING count(*) > 0
),

level AS (
    SELECT
        canteen.canteen,
        CASE WHEN canteen.fen < (1 - ${level_share}) * campus.fen THEN 'low'
            WHEN canteen.fen > (1 + ${level_share}) * campus.fen THEN 'high' ELSE 'middle' END AS price_level
    FROM campus
    CROSS JOIN canteen
),

main AS (
    SELECT student_key, canteen, row_number() OVER (PARTITION BY student_key ORDER BY n DESC, canteen) AS place
    FROM bought
),

eater AS (
    SELECT month_sum.*, coalesce(level.price_level, 'middle') AS price_level
    FROM month_sum
    LEFT JOIN main ON main.student_key = month_sum.student_key AND main.place = 1
    LEFT JOIN level ON level.canteen = main.canteen
    WHERE month_sum.now_meals >= ${meals_min}
),

placed AS (
    SELECT
        price_level,
        now_fen,
        row_number() OVER (PARTITION BY price_level ORDER BY now_fen, student_key) AS place,
        count(*) OVER (PARTITION BY price_level) AS people,
        row_number() OVER (ORDER BY now_fen, student_key) AS place_all,
        count(*) OVER () AS people_all
    FROM eater
),

-- The school's own constant, or what the cheapest share of those who eat at that level pays, whichever is less.
threshold AS (
    SELECT
        price_level,
        least(${spend_fen_max}, coalesce(max(CASE WHEN people >= ${people_min}
            THEN CASE WHEN place <= people * ${share_percent} / 100 THEN now_fen END
            ELSE campus_fen END), 0)) AS fen
    FROM (
        SELECT *, max(CASE WHEN place_all <= greatest(1, people_all * ${share_percent} / 100) THEN now_fen END) OVER () AS campus_fen
        FROM placed
    ) AS known
    GROUP BY price_level
),

paid AS (
    SELECT student_key, sum(amount_fen) AS paid_fen
    FROM stg_aid_payment
    WHERE kind = 'hidden_aid' AND paid_on >= $as_of - INTERVAL '180' DAY
    GROUP BY student_key
)

-- Who eats elsewhere is not known, so fewer than sixty meals say nothing; nor does a month of broken terminals.
SELECT
    eater.student_key,
    greatest(0, ${benchmark_fen} - eater.now_fen) AS gap_fen,
    eater.now_meals AS meal_n,
    eater.now_fen AS spend_fen,
    eater.price_level,
    coalesce(paid.paid_fen, 0) AS paid_fen
-- The one row comes first: a join by comparison holds its first side in memory.
FROM int_coverage
CROSS JOIN eater
INNER JOIN threshold ON threshold.price_level = eater.price_level
LEFT JOIN paid ON paid.student_key = eater.student_key
WHERE eater.past_meals >= ${meals_min}
    AND eater.now_fen <= threshold.fen
    AND eater.past_fen <= threshold.fen
    AND int_coverage.canteen_cov >= ${cov_min}

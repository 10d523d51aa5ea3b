/*---
kind      = "measure"
about     = "Breakfasts, lunches and dinners over three a campus day, each told by the hours of the canteen where it was bought (三餐完整率)."
about_zh  = "近28天的在校日里，有消费的早、午、晚餐数除以三餐总数（在校日数乘以3）；早、午、晚以所在食堂自己的供餐时段为准。"
title_zh  = "三餐完整率"
title_en  = "Three-meal completeness"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "meals"
unit      = "share"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 0.05
peer_also = ["int_main_canteen.canteen"]
class     = "trace"
---*/

-- One pass over the payments: which of the three was eaten, not each payment's meal made distinct and then counted.
WITH meal AS (
    SELECT
        stg_card_txn.student_key,
        stg_card_txn.occurred_on,
        max(CASE WHEN stg_card_txn.minute_of_day >= breakfast_from AND stg_card_txn.minute_of_day < breakfast_to THEN 1 ELSE 0 END)
            + max(CASE WHEN stg_card_txn.minute_of_day >= lunch_from AND stg_card_txn.minute_of_day < lunch_to THEN 1 ELSE 0 END)
            + max(CASE WHEN stg_card_txn.minute_of_day >= dinner_from AND stg_card_txn.minute_of_day < dinner_to THEN 1 ELSE 0 END) AS slot_n
    FROM stg_card_txn
    INNER JOIN int_meal_band ON int_meal_band.canteen = split_part(stg_card_txn.terminal_id, '-', 2)
    WHERE stg_card_txn.merchant_kind = 'canteen' AND stg_card_txn.occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY stg_card_txn.student_key, stg_card_txn.occurred_on
)

SELECT
    int_campus_day.student_key,
    CAST(sum(coalesce(meal.slot_n, 0)) AS DECIMAL(18, 6)) / (3 * count(*)) AS value,
    count(*) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
LEFT JOIN meal ON meal.student_key = int_campus_day.student_key AND meal.occurred_on = int_campus_day.occurred_on
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

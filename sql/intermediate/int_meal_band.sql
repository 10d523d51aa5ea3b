/*---
kind         = "table"
about        = "When breakfast, lunch and dinner are eaten in each canteen, found from its own payments of 28 days; a canteen with few of them keeps the usual bands (各餐厅餐段)."
about_zh     = "各食堂早、午、晚餐的时段，由其近28天自己的付款得出；付款很少的食堂沿用通常的时段。"
owner        = "logistics_office"
materialized = "view"
cached       = true
purpose      = ["portrait", "trend_warning"]

[settings]
payments_min = 500
usual_bands  = "05:00-09:30 10:00-13:30 16:00-20:00"

[columns]
canteen        = { about = "Second part of the names of its tills.", about_zh = "其收款机名称的第二段。", class = "trace" }
payment_n      = { about = "Payments of 28 days.", about_zh = "28天内的付款数。", class = "trace" }
breakfast_from = { unit = "minute_of_day", about = "Begin of breakfast.", about_zh = "早餐开始。" }
breakfast_to   = { unit = "minute_of_day", about = "End of breakfast.", about_zh = "早餐结束。" }
lunch_from     = { unit = "minute_of_day", about = "Begin of lunch.", about_zh = "午餐开始。" }
lunch_to       = { unit = "minute_of_day", about = "End of lunch.", about_zh = "午餐结束。" }
dinner_from    = { unit = "minute_of_day", about = "Begin of dinner.", about_zh = "晚餐开始。" }
dinner_to      = { unit = "minute_of_day", about = "End of dinner.", about_zh = "晚餐结束。" }
---*/

WITH found AS (
    SELECT split_part(terminal_id, '-', 2) AS canteen, count(*) AS payment_n, meal_bands(minute_of_day) AS bands
    FROM stg_card_txn
    WHERE merchant_kind = 'canteen' AND occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY split_part(terminal_id, '-', 2)
),

told AS (
    SELECT canteen, payment_n, CASE WHEN payment_n >= ${payments_min} THEN bands ELSE ${usual_bands} END AS bands
    FROM found
)

-- Every time stands at its own place of the text: 05:00-09:30 10:00-13:30 16:00-20:00.
SELECT
    canteen,
    payment_n,
    60 * CAST(substr(bands, 1, 2) AS BIGINT) + CAST(substr(bands, 4, 2) AS BIGINT) AS breakfast_from,
    60 * CAST(substr(bands, 7, 2) AS BIGINT) + CAST(substr(bands, 10, 2) AS BIGINT) AS breakfast_to,
    60 * CAST(substr(bands, 13, 2) AS BIGINT) + CAST(substr(bands, 16, 2) AS BIGINT) AS lunch_from,
    60 * CAST(substr(bands, 19, 2) AS BIGINT) + CAST(substr(bands, 22, 2) AS BIGINT) AS lunch_to,
    60 * CAST(substr(bands, 25, 2) AS BIGINT) + CAST(substr(bands, 28, 2) AS BIGINT) AS dinner_from,
    60 * CAST(substr(bands, 31, 2) AS BIGINT) + CAST(substr(bands, 34, 2) AS BIGINT) AS dinner_to
FROM told

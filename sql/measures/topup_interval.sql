/*---
kind      = "measure"
about     = "Days on campus between two top-ups of the card over 56 days, worked out from balances and payments (充值间隔)."
about_zh  = "近56天里，平均每隔多少个在校日给校园卡充值一次；充值由余额和付款推算得出，十元以上才算。没有充值时不计算。"
title_zh  = "充值间隔"
title_en  = "Days between top-ups"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "economy"
unit      = "days"
window    = "56d"
n_min     = 2
cov_min   = 0.8
mad_floor = 2.0
class     = "trace"

[settings]
topup_fen_min = 1000
---*/

-- What is left today is what was left before, less what was spent, plus what was topped up. Days away are no days.
WITH change AS (
    SELECT
        student_key,
        is_on_campus,
        CASE WHEN balance_fen IS NOT NULL THEN balance_fen - last_value(balance_fen) IGNORE NULLS OVER (
            PARTITION BY student_key ORDER BY occurred_on ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) + spent_fen END AS topup_fen
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '56' DAY
)

SELECT
    change.student_key,
    CAST(sum(CASE WHEN change.is_on_campus THEN 1 ELSE 0 END) AS DECIMAL(18, 6))
        / nullif(sum(CASE WHEN change.topup_fen >= ${topup_fen_min} THEN 1 ELSE 0 END), 0) AS value,
    sum(CASE WHEN change.topup_fen >= ${topup_fen_min} THEN 1 ELSE 0 END) AS n,
    min(int_coverage.canteen_cov) AS cov
FROM change
CROSS JOIN int_coverage
GROUP BY change.student_key

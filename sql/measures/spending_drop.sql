/*---
kind      = "measure"
about     = "Logarithm of the median daily canteen spending of two weeks over that of the eight weeks before (消费变化)."
about_zh  = "最近两周与此前八周食堂日消费中位数之比的自然对数，只看在校的教学日：0为没有变化，负数为减少。"
title_zh  = "消费变化"
title_en  = "Change of spending"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "economy"
unit      = "log_ratio"
window    = "70d"
n_min     = 20
cov_min   = 0.8
mad_floor = 0.1
class     = "trace"
---*/

-- Medians of whole days, so that one feast or one day away moves nothing; teaching days only, like against like.
WITH day AS (
    SELECT
        int_campus_day.student_key,
        int_campus_day.canteen_fen AS amount,
        int_campus_day.occurred_on >= $as_of - INTERVAL '14' DAY AS is_now
    FROM int_campus_day
    WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '70' DAY
        AND int_campus_day.is_on_campus
        AND int_campus_day.is_teaching
),

middle AS (
    SELECT
        student_key,
        median(CASE WHEN is_now THEN CAST(amount AS DOUBLE) END) AS now_amount,
        median(CASE WHEN NOT is_now THEN CAST(amount AS DOUBLE) END) AS past_amount,
        -- Four teaching weeks of the past and seven days of now: after a holiday week there is too little to compare.
        least(3 * sum(CASE WHEN is_now THEN 1 ELSE 0 END), sum(CASE WHEN is_now THEN 0 ELSE 1 END)) AS n
    FROM day
    GROUP BY student_key
)

SELECT
    middle.student_key,
    ln((middle.now_amount + 1) / (middle.past_amount + 1)) AS value,
    middle.n,
    int_coverage.canteen_cov AS cov
FROM middle
CROSS JOIN int_coverage
WHERE middle.past_amount > 0

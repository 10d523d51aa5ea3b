/*---
kind      = "rule"
about     = "Canteen spending of two weeks fell below six tenths of the student's own usual, and meals fell too (消费骤降)."
about_zh  = "两周的食堂消费低于本人平时的六成，用餐次数也减少。"
title_zh  = "食堂消费与用餐次数同时减少"
title_en  = "Less spent and fewer meals in the canteens"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "meal"
thread    = "life_aid"
severity  = 1
unit      = "share"
measure   = "spending_drop"
caveat_zh = "可能改用手机支付、外卖或在校外用餐；只是提示可以关心一下，不说明经济或健康状况。"
caveat_en = "Mobile payment, delivery or meals off campus are possible; it suggests asking how things are and says nothing of money or health."
first_step_zh = "约一次轻松的见面，先问近来吃饭、身体和作息是否都好，不提刷卡数据。"
first_step_en = "Meet without an agenda and ask how meals, health and days have been, without speaking of card data."

[settings]
ratio_max      = 0.6     # of the median daily spending of the eight weeks before
meal_ratio_max = 0.65    # of the mean daily meals
peer_z_max     = -3.5    # unusual among peers too, so that exam weeks and holidays stay silent
self_z_max     = -3.5    # and unusual for the student; without six weeks of the past nothing is said
---*/

WITH measure_now AS (
    SELECT
        student_key,
        max(CASE WHEN measure = 'spending_drop' THEN value END) AS spending_log,
        max(CASE WHEN measure = 'spending_drop' THEN n END) AS n,
        max(CASE WHEN measure = 'spending_drop' THEN cov END) AS cov,
        max(CASE WHEN measure = 'meal_drop' THEN value END) AS meal_log,
        max(CASE WHEN measure = 'meal_drop' THEN z_peer END) AS meal_z_peer,
        max(CASE WHEN measure = 'meal_drop' THEN z_self END) AS meal_z_self
    FROM feat_measure
    WHERE as_of_on = $as_of AND measure IN ('spending_drop', 'meal_drop')
    GROUP BY student_key
)

SELECT
    student_key,
    CAST($as_of - INTERVAL '14' DAY AS DATE) AS since_on,
    1.0 AS baseline,
    round(exp(spending_log), 3) AS now_value,
    n,
    cov,
    concat('近两周在校教学日的食堂日消费中位数约为此前八周的', CAST(CAST(round(100 * exp(spending_log)) AS BIGINT) AS VARCHAR), '%，日均用餐次数约为', CAST(CAST(round(100 * exp(meal_log)) AS BIGINT) AS VARCHAR), '%。') AS reason_zh,
    concat('On teaching days of the last two weeks the median daily canteen spending was about ', CAST(CAST(round(100 * exp(spending_log)) AS BIGINT) AS VARCHAR), '% of that of the eight weeks before, meals about ', CAST(CAST(round(100 * exp(meal_log)) AS BIGINT) AS VARCHAR), '%.') AS reason_en,
    '' AS explanations,
    NULL AS last_seen_at,
    NULL AS last_seen_source
FROM measure_now
WHERE spending_log <= ln(${ratio_max})
    AND meal_log <= ln(${meal_ratio_max})
    AND meal_z_peer <= ${peer_z_max}
    AND meal_z_self <= ${self_z_max}

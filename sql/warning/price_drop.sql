/*---
kind      = "rule"
about     = "Canteen spending of two weeks fell below six tenths of the student's own usual while meals stayed as they were: cheaper meals, which is a question of money (餐价下降). Fewer meals are the rule spending_drop."
about_zh  = "两周的食堂消费低于本人平时的六成，而用餐次数没有减少：吃得便宜了，这是花费方面的问题。用餐次数减少的见规则 spending_drop。"
title_zh  = "用餐次数未减而餐费明显减少"
title_en  = "As many meals for much less money"
owner     = "student_aid_center"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "meal"
thread    = "life_aid"
severity  = 1
unit      = "share"
measure   = "spending_drop"
caveat_zh = "可能换了食堂或窗口、与同学分餐，或部分改用手机支付；只是提示可以介绍资助政策，不说明家庭经济情况。"
caveat_en = "Another canteen or counter, shared dishes or payment by phone are possible; it suggests telling of aid and says nothing of the family's means."
first_step_zh = "私下介绍资助政策和申请办法，不问家里的情况，由学生自己决定。"
first_step_en = "Tell in private of aid and how to apply; ask nothing about the family, and let the student decide."

[settings]
ratio_max      = 0.6     # of the median daily spending of the eight weeks before
meal_ratio_min = 0.85    # of the mean daily meals: as many as ever
peer_z_max     = -3.5    # unusual among peers too, so that a canteen that lowers its prices stays silent
self_z_max     = -3.5    # and unusual for the student; without six weeks of the past nothing is said
---*/

WITH measure_now AS (
    SELECT
        student_key,
        max(CASE WHEN measure = 'spending_drop' THEN value END) AS spending_log,
        max(CASE WHEN measure = 'spending_drop' THEN n END) AS n,
        max(CASE WHEN measure = 'spending_drop' THEN cov END) AS cov,
        max(CASE WHEN measure = 'spending_drop' THEN z_peer END) AS spending_z_peer,
        max(CASE WHEN measure = 'spending_drop' THEN z_self END) AS spending_z_self,
        max(CASE WHEN measure = 'meal_drop' THEN value END) AS meal_log
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
    concat('近两周在校教学日的食堂日消费中位数约为此前八周的', CAST(CAST(round(100 * exp(spending_log)) AS BIGINT) AS VARCHAR), '%，用餐次数没有减少。') AS reason_zh,
    concat('On teaching days of the last two weeks the median daily canteen spending was about ', CAST(CAST(round(100 * exp(spending_log)) AS BIGINT) AS VARCHAR), '% of that of the eight weeks before, with as many meals.') AS reason_en,
    '' AS explanations,
    NULL AS last_seen_at,
    NULL AS last_seen_source
FROM measure_now
WHERE spending_log <= ln(${ratio_max})
    AND meal_log >= ln(${meal_ratio_min})
    AND spending_z_peer <= ${peer_z_max}
    AND spending_z_self <= ${self_z_max}

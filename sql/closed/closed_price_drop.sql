/*---
kind         = "table"
about        = "Whose canteen spending of two weeks fell below six tenths of the own usual while meals stayed as they were: cheaper meals, a question of money and so the aid centre's, in no care offer (封闭: 餐价下降). Fewer meals are the rule spending_drop. An offer of help, never a finding of need."
about_zh     = "封闭库：两周的食堂消费低于本人平时的六成，而用餐次数没有减少：吃得便宜了，属于花费方面的问题，由资助中心了解，不进入关怀提示。用餐次数减少的见规则 spending_drop。这是提供帮助的线索，不是对困难的认定。"
owner        = "student_aid_center"
materialized = "as_of"
cadence      = "week"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["aid"]

[settings]
ratio_max      = 0.6     # of the median daily spending of the eight weeks before
meal_ratio_min = 0.85    # of the mean daily meals: as many as ever
peer_z_max     = -3.5    # unusual among peers too, so that a canteen that lowers its prices stays silent
self_z_max     = -3.5    # and unusual for the student; without six weeks of the past nothing is said

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
price_fell  = { title_zh = "餐价下降", title_en = "as many meals for much less money", unit = "share", about = "By how much the median daily canteen spending of two weeks is below that of the eight weeks before.", about_zh = "近两周食堂日消费中位数比此前八周低多少。", class = "closed" }
---*/

WITH measure_now AS (
    SELECT
        student_key,
        max(CASE WHEN measure = 'spending_drop' THEN value END) AS spending_log,
        max(CASE WHEN measure = 'spending_drop' THEN z_peer END) AS spending_z_peer,
        max(CASE WHEN measure = 'spending_drop' THEN z_self END) AS spending_z_self,
        max(CASE WHEN measure = 'meal_drop' THEN value END) AS meal_log
    FROM feat_measure
    WHERE as_of_on = $as_of AND measure IN ('spending_drop', 'meal_drop')
    GROUP BY student_key
)

SELECT student_key, round(1 - exp(spending_log), 3) AS price_fell
FROM measure_now
WHERE spending_log <= ln(${ratio_max})
    AND meal_log >= ln(${meal_ratio_min})
    AND spending_z_peer <= ${peer_z_max}
    AND spending_z_self <= ${self_z_max}

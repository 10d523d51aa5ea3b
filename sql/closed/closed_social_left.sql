/*---
kind         = "table"
about        = "Students who take no part in social measures (who eats, lives and joins in with whom), by their own choice (封闭: 已退出社交类指标)."
about_zh     = "封闭库：本人选择不参加社交类指标（与谁一起用餐、居住、参加活动）的学生。"
owner        = "psychology_center"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["care"]

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
---*/

WITH choice AS (
    SELECT student_key, choice, row_number() OVER (PARTITION BY student_key ORDER BY choice_no DESC) AS place
    FROM stg_social_choice
)

SELECT student_key
FROM choice
WHERE place = 1 AND choice = 'left'

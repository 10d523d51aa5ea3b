/*---
kind         = "table"
about        = "When somebody first spoke with a student about their studies (学业帮扶首次联系), by case: who was helped before an outcome teaches nothing of what comes without help. Cases of another kind say nothing here."
about_zh     = "按个案，第一次有人就学业与学生谈话的时间：结果出现之前已得到帮助的，说明不了没有帮助时会怎样。其他类别的个案在这里不计。"
owner        = "student_affairs_office"
materialized = "whole"
grain        = ["student_key", "intervened_on"]
subject      = "student_key"
purpose      = ["evaluation"]

[columns]
student_key   = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
intervened_on = { about = "Day of the first contact.", about_zh = "首次联系的日期。", class = "closed" }
known_on      = { about = "First date that may use it.", about_zh = "最早可以使用它的日期。", class = "closed" }
---*/

SELECT
    student_key,
    campus_on(first_contact_at) AS intervened_on,
    arrow_cast(arrow_cast(min(campus_on(known_at)), 'Int32') + 1, 'Date32') AS known_on
FROM stg_case_state
WHERE kind = 'academic' AND first_contact_at IS NOT NULL
GROUP BY student_key, campus_on(first_contact_at)

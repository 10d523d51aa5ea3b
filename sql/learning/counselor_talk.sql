/*---
kind         = "table"
about        = "Days on which staff spoke with a student alone (谈心谈话): of these a backtest makes the order that a counselor would take without the system. Talks with a whole group say nothing of whom somebody worries about."
about_zh     = "教职工与学生单独谈话的日子：回测据此排出辅导员在没有本系统时会有的顺序。与全体学生的谈话说明不了担心的是谁，不计。"
owner        = "student_affairs_office"
materialized = "whole"
grain        = ["student_key", "contacted_on"]
subject      = "student_key"
purpose      = ["evaluation"]

[columns]
student_key  = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
contacted_on = { about = "Day of a talk.", about_zh = "谈话的日期。", class = "closed" }
known_on     = { about = "First date that may use it.", about_zh = "最早可以使用它的日期。", class = "closed" }
---*/

SELECT
    student_key,
    occurred_on AS contacted_on,
    arrow_cast(arrow_cast(min(campus_on(known_at)), 'Int32') + 1, 'Date32') AS known_on
FROM stg_contact_record
WHERE mode <> 'group'
GROUP BY student_key, occurred_on

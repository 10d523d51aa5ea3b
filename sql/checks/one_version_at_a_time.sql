/*---
kind  = "check"
about = "A student has at most one current version in the register."
about_zh = "学籍中每名学生同一时刻至多有一个有效版本。"
owner = "platform"
---*/

SELECT student_key, count(*) AS versions_n
FROM stg_student
WHERE superseded_at IS NULL
GROUP BY student_key
HAVING count(*) > 1

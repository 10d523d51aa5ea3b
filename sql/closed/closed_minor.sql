/*---
kind         = "table"
about        = "Students who are minors on the date, by the register's own flag or by their birth date, whichever says so (封闭: 未成年学生). Read where the guardian is the one to reach, shown nowhere else."
about_zh     = "封闭库：基准日未成年的学生，学籍自己的标记或出生日期有一个这样说即算。用于需要联系监护人时，其他地方都不显示。"
owner        = "psychology_center"
materialized = "as_of"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["care"]

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
---*/

SELECT stg_student.student_key
FROM stg_student
INNER JOIN dim_student ON dim_student.student_key = stg_student.student_key AND dim_student.as_of_on = $as_of
-- A slip in either must not take a minor's protection away: who is called one by the flag or the birth date is one.
WHERE coalesce(stg_student.is_minor = 'yes', FALSE) OR coalesce(stg_student.born_on > $as_of - INTERVAL '18' YEAR, FALSE)

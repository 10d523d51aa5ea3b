/*---
kind     = "list"
about    = "Enrolled students for whom no counselor is named (无责任人学生)."
about_zh = "没有责任辅导员的在籍学生。"
title_zh = "无责任人学生"
title_en = "Students without a counselor"
owner    = "student_affairs_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["service"]

[columns]
college_name = { title_zh = "学院", title_en = "College" }
class        = { title_zh = "班级", title_en = "Class" }
grade        = { title_zh = "年级", title_en = "Year" }
---*/

SELECT student_key, college_name, class, grade
FROM dim_student
WHERE as_of_on = $as_of AND is_enrolled AND counselor_key IS NULL

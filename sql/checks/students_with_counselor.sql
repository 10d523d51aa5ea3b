/*---
kind  = "check"
about = "Every enrolled student has a responsible counselor."
about_zh = "每名在籍学生都有责任辅导员。"
owner = "student_affairs_office"
---*/

SELECT student_key
FROM stg_student
WHERE superseded_at IS NULL AND status IN ('enrolled', 'extended') AND counselor_key IS NULL

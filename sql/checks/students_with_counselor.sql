/*---
kind  = "check"
about = "Every enrolled student has a responsible counselor."
owner = "student_affairs_office"
---*/

SELECT student_key
FROM stg_student
WHERE superseded_at IS NULL AND status IN ('enrolled', 'extended') AND counselor_key IS NULL

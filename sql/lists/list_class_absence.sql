/*---
kind     = "list"
about    = "Students absent without leave from two or more classes of the last seven days (未请假缺勤)."
about_zh = "近7天有两次以上课程缺勤且没有请假的学生。"
title_zh = "未请假缺勤"
title_en = "Absent from class without leave"
owner    = "academic_affairs_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["service"]

[settings]
absent_min = 2

[columns]
absent_n     = { about = "Classes missed without leave in seven days.", about_zh = "七天内未请假缺勤的次数。", title_zh = "缺勤次数", title_en = "Missed" }
due_n        = { about = "Classes due in seven days.", about_zh = "七天内应到的次数。", title_zh = "应到次数", title_en = "Due" }
last_on      = { about = "Day of the last one.", about_zh = "最近一次的日子。", title_zh = "最近一次", title_en = "Last" }
college_name = { title_zh = "学院", title_en = "College" }
class        = { title_zh = "班级", title_en = "Class" }
---*/

WITH week AS (
    SELECT
        student_key,
        sum(CASE WHEN state = 'absent' THEN 1 ELSE 0 END) AS absent_n,
        sum(CASE WHEN state <> 'leave' THEN 1 ELSE 0 END) AS due_n,
        max(CASE WHEN state = 'absent' THEN occurred_on END) AS last_on
    FROM stg_class_attendance
    WHERE occurred_on >= $as_of - INTERVAL '7' DAY
    GROUP BY student_key
)

SELECT
    week.student_key,
    week.absent_n,
    week.due_n,
    week.last_on,
    dim_student.college_name,
    dim_student.class
FROM week
INNER JOIN dim_student ON dim_student.student_key = week.student_key AND dim_student.as_of_on = $as_of
WHERE week.absent_n >= ${absent_min} AND dim_student.is_enrolled

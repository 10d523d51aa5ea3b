/*---
kind         = "table"
about        = "The canteen in which each student ate on most days of the last four weeks (主要就餐食堂)."
about_zh     = "每名学生近四周用餐天数最多的食堂。"
owner        = "platform"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "personal" }
canteen     = { about = "Second part of the names of its tills.", about_zh = "其收款机名称的第二段。", class = "trace" }
---*/

WITH eaten AS (
    SELECT student_key, canteen, count(*) AS day_n
    FROM int_student_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND canteen IS NOT NULL
    GROUP BY student_key, canteen
),

most AS (
    SELECT student_key, max(day_n) AS day_n
    FROM eaten
    GROUP BY student_key
)

-- Of two that are even, the first by name.
SELECT eaten.student_key, min(eaten.canteen) AS canteen
FROM eaten
INNER JOIN most ON most.student_key = eaten.student_key AND most.day_n = eaten.day_n
GROUP BY eaten.student_key

/*---
kind         = "table"
about        = "How many students lived in the rooms of which a week's plans were made, with and without an offer of that day (封闭: 走访抽样总体)."
about_zh     = "封闭库：制定一周走访计划的房间中共住有多少学生，分当日有提示和没有提示的。"
owner        = "student_affairs_office"
materialized = "as_of"
cadence      = "week"
grain        = ["counselor_key"]
purpose      = ["service"]

[columns]
counselor_key = { about = "Who visits, pseudonymous.", about_zh = "走访人，以假名表示。", class = "closed" }
warned_n      = { about = "Residents for whom an offer stood.", about_zh = "有有效提示的住宿生数。", class = "closed" }
not_warned_n  = { about = "Residents without one.", about_zh = "没有提示的住宿生数。", class = "closed" }
---*/

WITH warned AS (
    SELECT DISTINCT student_key
    FROM warning_student
    WHERE as_of_on = $as_of AND severity IS NOT NULL
)

SELECT
    dim_student.counselor_key,
    count(warned.student_key) AS warned_n,
    count(*) - count(warned.student_key) AS not_warned_n
FROM dim_student
LEFT JOIN warned ON warned.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
    AND dim_student.is_enrolled
    AND dim_student.counselor_key IS NOT NULL
    AND dim_student.room_id IS NOT NULL
GROUP BY dim_student.counselor_key

/*---
kind         = "table"
about        = "Requests of each student over 180 days; who asked for nothing has a row of zeros (诉求窗口)."
about_zh     = "每名学生近180天的诉求；没有提出的为一行零。"
owner        = "student_affairs_office"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
n        = { unit = "day", about = "Days of the window that the request system covers: who asked for nothing is known to have asked for nothing.", about_zh = "窗口内诉求系统有数据的天数：没有提出诉求的，确知没有提出。" }
ticket_n = { about = "Requests.", about_zh = "诉求数。" }
open_n   = { about = "Of them open.", about_zh = "其中未办结的。" }
repeat_n = { about = "Requests beyond the first of their category.", about_zh = "同一类别第二件起的诉求数。" }
open_age = { unit = "day", about = "Age of the oldest open request, however old; 0 without one.", about_zh = "最早一件未办结诉求的天数，不论多久；没有时为0。" }
---*/

WITH covered AS (
    SELECT least(180, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', min(submitted_at))) AS BIGINT) / 86400) AS n
    FROM fct_ticket
    HAVING count(*) > 0
),

asked AS (
    SELECT
        student_key,
        category,
        state,
        CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', submitted_at)) AS BIGINT) / 86400 AS age,
        submitted_at >= day_start(CAST($as_of - INTERVAL '180' DAY AS DATE)) AS is_recent
    FROM fct_ticket
)

SELECT
    dim_student.student_key,
    max(covered.n) AS n,
    sum(CASE WHEN asked.is_recent THEN 1 ELSE 0 END) AS ticket_n,
    sum(CASE WHEN asked.is_recent AND asked.state = 'open' THEN 1 ELSE 0 END) AS open_n,
    sum(CASE WHEN asked.is_recent THEN 1 ELSE 0 END) - count(DISTINCT CASE WHEN asked.is_recent THEN asked.category END) AS repeat_n,
    coalesce(max(CASE WHEN asked.state = 'open' THEN asked.age END), 0) AS open_age
FROM dim_student
CROSS JOIN covered
LEFT JOIN asked ON asked.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

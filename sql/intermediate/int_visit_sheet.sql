/*---
kind         = "table"
about        = "Sheets of visits, from files and from the list of the week; of several that were filled in on the list for one plan the newest (走访观察表)."
about_zh     = "走访观察表，来自文件和当周清单；同一计划在清单上填过多次的取最新一次。"
owner        = "student_affairs_office"
materialized = "view"
subject      = "student_key"
purpose      = ["service"]

[columns]
student_key       = { about = "Who was met, pseudonymous.", about_zh = "见到了谁，以假名表示。", class = "personal" }
room_id           = { about = "Room.", about_zh = "房间。", class = "trace" }
occurred_on       = { about = "Day of the visit.", about_zh = "走访日。", class = "trace" }
is_support_needed = { about = "Whether some support would be good.", about_zh = "有些支持是否会更好。", class = "closed" }
---*/

WITH ranked AS (
    SELECT
        student_key,
        room_id,
        occurred_on,
        is_support_needed,
        row_number() OVER (PARTITION BY student_key, plan_on ORDER BY answer_no DESC) AS place
    FROM stg_visit_answer
)

SELECT student_key, room_id, occurred_on, is_support_needed
FROM stg_visit_sheet

UNION ALL

SELECT student_key, room_id, occurred_on, is_support_needed
FROM ranked
WHERE place = 1

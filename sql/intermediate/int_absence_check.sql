/*---
kind         = "table"
about        = "The newest answer about each student and night that a list asked after (未归核实结果)."
about_zh     = "清单问到的每名学生每一夜的最新核实结果。"
owner        = "logistics_security_office"
materialized = "view"
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "public_safety", "cockpit"]

[columns]
occurred_on = { about = "The night.", about_zh = "是哪一夜。", class = "trace" }
answered_at = { about = "When it was given.", about_zh = "核实时间。", class = "trace" }
result      = { about = "in_room, excused, contacted or not_found.", about_zh = "in_room 在寝、excused 请假、contacted 已联系上或 not_found 未找到。", class = "trace" }
---*/

WITH ranked AS (
    SELECT student_key, night_on, result, at, row_number() OVER (PARTITION BY student_key, night_on ORDER BY check_no DESC) AS place
    FROM stg_absence_check
)

SELECT student_key, night_on AS occurred_on, result, at AS answered_at
FROM ranked
WHERE place = 1

/*---
kind         = "table"
about        = "Open requests that gather: a category in a building, three or more (苗头性问题)."
about_zh     = "聚集的未办结诉求：同一楼栋同一类别三件及以上。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["category", "building_id"]
purpose      = ["cockpit"]

[settings]
open_min = 3

[columns]
category      = { about = "Category.", about_zh = "诉求类别。", class = "internal" }
building_id   = { about = "Building.", about_zh = "楼栋编号。", class = "internal" }
building_name = { about = "Its name.", about_zh = "楼栋名称。", class = "internal" }
open_n        = { about = "Open requests.", about_zh = "未办结件数。", class = "internal" }
oldest_days   = { unit = "days", about = "Age of the oldest.", about_zh = "其中最早一件已有多少天。", class = "internal" }
---*/

SELECT
    fct_ticket.category,
    fct_ticket.building_id,
    max(stg_building.building_name) AS building_name,
    count(*) AS open_n,
    CAST((date_part('epoch', day_start($as_of)) - min(date_part('epoch', fct_ticket.submitted_at))) / 86400 AS BIGINT) AS oldest_days
FROM fct_ticket
LEFT JOIN stg_building ON stg_building.building_id = fct_ticket.building_id
WHERE fct_ticket.state = 'open' AND fct_ticket.building_id IS NOT NULL
GROUP BY fct_ticket.category, fct_ticket.building_id
HAVING count(*) >= ${open_min}

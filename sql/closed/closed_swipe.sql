/*---
kind         = "table"
about        = "Canteen payments of four weeks, but of who objects, for finding who eats together (封闭: 就餐)."
about_zh     = "封闭库：四周的食堂付款，用于判断谁与谁一起用餐；提出异议者的付款不在其中。"
owner        = "psychology_center"
materialized = "view"
subject      = "student_key"
purpose      = ["care"]

[columns]
meal     = { about = "Number of the meal: campus day and breakfast, lunch or dinner.", about_zh = "餐的编号：校园日加早、午或晚餐。", class = "closed" }
hall     = { about = "Number of the group of terminals.", about_zh = "终端组编号。", class = "closed" }
second   = { about = "Seconds since 1970.", about_zh = "自1970年起的秒数。", class = "closed" }
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
---*/

-- Who objects is in no pair, on neither side.
SELECT student_key, meal, hall, second
FROM closed_meal
WHERE NOT has_left

/*---
kind     = "label"
about    = "Recognised as in economic hardship, by academic year: a reason to look for candidates early, never one to withhold (困难认定)."
about_zh = "按学年认定的家庭经济困难：用于早些寻找可能需要帮助的人，绝不是拒绝资助的理由。"
title_zh = "家庭经济困难认定"
title_en = "recognition of hardship"
owner    = "student_aid_center"
grain    = ["student_key", "year"]
subject  = "student_key"
purpose  = ["evaluation", "service"]
horizon  = "180d"
gap      = "2d"
recurs   = true      # it is recognised anew every year

[columns]
outcome  = { about = "Always true: who is not recognised has no row.", about_zh = "总为真：没有认定的没有行。", class = "closed" }
event_on = { about = "Day of recognition.", about_zh = "认定日期。", class = "closed" }
known_on = { about = "First date that may use it.", about_zh = "最早可以使用它的日期。", class = "closed" }
---*/

SELECT
    student_key,
    year,
    TRUE AS outcome,
    min(recognised_on) AS event_on,
    arrow_cast(arrow_cast(min(campus_on(known_at)), 'Int32') + 1, 'Date32') AS known_on
FROM stg_aid_status
WHERE superseded_at IS NULL
GROUP BY student_key, year

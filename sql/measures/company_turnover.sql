/*---
kind      = "measure"
about     = "How many of those eaten with now and four weeks ago are not the same: 0 is all the same, 1 is none (共餐更替率)."
about_zh  = "现在与四周前一起用餐的人中，不相同者所占比例：0为全都相同，1为没有一个相同。四周前没有数据时不计算；已退出社交类指标的人不计。"
title_zh  = "共餐更替率"
title_en  = "Turnover of company"
owner     = "psychology_center"
subject   = "student_key"
purpose   = ["care"]
dimension = "social"
facet     = "company"
unit      = "share"
window    = "56d"
n_min     = 2
cov_min   = 0.0
mad_floor = 0.1
class     = "closed"
---*/

WITH tie AS (
    SELECT u AS student_key, v AS other_key, as_of_on FROM closed_edge WHERE as_of_on IN ($as_of, $as_of - INTERVAL '28' DAY)

    UNION ALL

    SELECT v, u, as_of_on FROM closed_edge WHERE as_of_on IN ($as_of, $as_of - INTERVAL '28' DAY)
),

-- Pairs of four weeks ago may hold somebody who has left since.
pair AS (
    SELECT tie.student_key, tie.other_key, count(*) AS times
    FROM tie
    LEFT JOIN closed_social_left AS own ON own.student_key = tie.student_key
    LEFT JOIN closed_social_left AS other ON other.student_key = tie.other_key
    WHERE own.student_key IS NULL AND other.student_key IS NULL
    GROUP BY tie.student_key, tie.other_key
),

earlier AS (
    SELECT count(*) AS edges_n
    FROM closed_edge
    WHERE as_of_on = $as_of - INTERVAL '28' DAY
)

-- Without an earlier date there is nothing to compare with, and nothing is said.
SELECT
    pair.student_key,
    1 - CAST(sum(CASE WHEN pair.times = 2 THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    1.0 AS cov
FROM pair
CROSS JOIN earlier
WHERE earlier.edges_n > 0
GROUP BY pair.student_key

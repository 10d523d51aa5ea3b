/*---
kind         = "table"
about        = "Pairs who eat together more often than their timetables explain, over four weeks (封闭: 共餐关系). Co-location is weak evidence of anything: never a list of friends, never exported."
about_zh     = "封闭库：四周内一起用餐的次数多于课表所能解释的两人。同时同地是很弱的证据：绝不是朋友名单，绝不导出。"
owner        = "psychology_center"
materialized = "as_of"
cadence      = "week"
grain        = ["u", "v"]
subject      = "u"
purpose      = ["care"]

[columns]
u        = { about = "One of the two, pseudonymous; the smaller key.", about_zh = "两人之一，以假名表示；键较小的一方。", class = "closed" }
v        = { about = "The other, pseudonymous.", about_zh = "另一方，以假名表示。", class = "closed" }
meetings = { about = "Meals at which their payments lay within a minute.", about_zh = "两人付款相隔不到一分钟的餐数。", class = "closed" }
weight   = { about = "Sum over the meetings, each counting less in a crowd.", about_zh = "这些餐的合计，人多拥挤时每次算得少。", class = "closed" }
expected = { about = "Meetings expected of two strangers who go to the same meals.", about_zh = "两个陌生人去同样的餐时预期会遇到的次数。", class = "closed" }
p        = { about = "Chance of at least so many meetings of two strangers.", about_zh = "两个陌生人至少遇到这么多次的可能性。", class = "closed" }
q        = { about = "Share of chance among the pairs if this is the last one taken.", about_zh = "如果这一对是最后选取的一对，所选各对中出于偶然的比例。", class = "closed" }
---*/

WITH found AS (
    SELECT unnest(co_occurrence(student_key, meal, hall, second)) AS edge
    FROM closed_swipe
)

SELECT
    edge['u'] AS u,
    edge['v'] AS v,
    edge['meetings'] AS meetings,
    edge['weight'] AS weight,
    edge['expected'] AS expected,
    edge['p'] AS p,
    edge['q'] AS q
FROM found
WHERE edge['u'] IS NOT NULL

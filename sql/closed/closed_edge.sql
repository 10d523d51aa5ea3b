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
u        = { about = "One of the two, pseudonymous; the smaller key.", class = "closed" }
v        = { about = "The other, pseudonymous.", class = "closed" }
meetings = { about = "Meals at which their payments lay within a minute.", class = "closed" }
weight   = { about = "Sum over the meetings, each counting less in a crowd.", class = "closed" }
expected = { about = "Meetings expected of two strangers who go to the same meals.", class = "closed" }
p        = { about = "Chance of at least so many meetings of two strangers.", class = "closed" }
q        = { about = "Share of chance among the pairs if this is the last one taken.", class = "closed" }
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

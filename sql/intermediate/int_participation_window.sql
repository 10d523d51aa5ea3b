/*---
kind         = "table"
about        = "What each student took part in over 120 days, counted by dimension and role; who took part in nothing has a row of zeros (活动参与窗口)."
about_zh     = "每名学生近120天参加的活动，按类别和身份计数；没有参加的为一行零。"
owner        = "youth_league_committee"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "recommendation", "evaluation"]

[columns]
n                     = { unit = "day", about = "Days of the window that the activity system covers: who took part in nothing is known to have taken part in nothing.", about_zh = "窗口内活动系统覆盖的天数：没有参加，指的是已知没有参加。" }
activity_n            = { about = "Activities attended.", about_zh = "参加的活动次数。" }
moral_n               = { about = "Of moral education (德育).", about_zh = "其中德育的次数。" }
intellectual_n        = { about = "Of intellectual education (智育).", about_zh = "其中智育的次数。" }
physical_n            = { about = "Of physical education (体育).", about_zh = "其中体育的次数。" }
aesthetic_n           = { about = "Of aesthetic education (美育).", about_zh = "其中美育的次数。" }
labor_n               = { about = "Of labour education (劳育).", about_zh = "其中劳育的次数。" }
safety_n              = { about = "Of safety education (安全教育).", about_zh = "其中安全教育的次数。" }
organiser_n           = { about = "As an organiser or volunteer.", about_zh = "其中作为组织者或志愿者的次数。" }
repeat_n              = { about = "Beyond the first of their kind: who came once and came again.", about_zh = "同类活动中首次以外的次数：来过又再来。" }
ideology_n            = { about = "Party and league days and lectures.", about_zh = "主题党日、团日和讲座的次数。" }
hour_tenths           = { about = "Hours credited, in tenths.", about_zh = "认定的学时，以十分之一学时计。" }
ideology_hour_tenths  = { about = "Hours credited for party and league days and lectures, in tenths.", about_zh = "主题党日、团日和讲座认定的学时，以十分之一学时计。" }
volunteer_hour_tenths = { about = "Hours credited for volunteering, in tenths.", about_zh = "志愿服务认定的学时，以十分之一学时计。" }
---*/

WITH covered AS (
    SELECT least(120, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', min(checked_in_at))) AS BIGINT) / 86400) AS n
    FROM fct_participation
    HAVING count(*) > 0
),

-- An activity of several days is one: counted here, a student's activities need no set of their names in memory.
attended AS (
    SELECT student_key, activity_id, max(dimension) AS dimension, max(kind) AS kind, max(role) AS role, sum(hour_tenths) AS hour_tenths
    FROM fct_participation
    WHERE occurred_on >= $as_of - INTERVAL '120' DAY
    GROUP BY student_key, activity_id
)

SELECT
    dim_student.student_key,
    max(covered.n) AS n,
    count(attended.activity_id) AS activity_n,
    sum(CASE WHEN attended.dimension = 'moral' THEN 1 ELSE 0 END) AS moral_n,
    sum(CASE WHEN attended.dimension = 'intellectual' THEN 1 ELSE 0 END) AS intellectual_n,
    sum(CASE WHEN attended.dimension = 'physical' THEN 1 ELSE 0 END) AS physical_n,
    sum(CASE WHEN attended.dimension = 'aesthetic' THEN 1 ELSE 0 END) AS aesthetic_n,
    sum(CASE WHEN attended.dimension = 'labor' THEN 1 ELSE 0 END) AS labor_n,
    sum(CASE WHEN attended.dimension = 'safety' THEN 1 ELSE 0 END) AS safety_n,
    sum(CASE WHEN attended.role IN ('organiser', 'volunteer') THEN 1 ELSE 0 END) AS organiser_n,
    count(attended.kind) - count(DISTINCT attended.kind) AS repeat_n,
    sum(CASE WHEN attended.kind IN ('party_league_day', 'ideology_lecture') THEN 1 ELSE 0 END) AS ideology_n,
    sum(coalesce(attended.hour_tenths, 0)) AS hour_tenths,
    sum(CASE WHEN attended.kind IN ('party_league_day', 'ideology_lecture') THEN coalesce(attended.hour_tenths, 0) ELSE 0 END) AS ideology_hour_tenths,
    sum(CASE WHEN attended.kind = 'volunteering' THEN coalesce(attended.hour_tenths, 0) ELSE 0 END) AS volunteer_hour_tenths
FROM dim_student
CROSS JOIN covered
LEFT JOIN attended ON attended.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

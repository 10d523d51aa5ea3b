/*---
kind         = "table"
about        = "What each student took part in over 120 days, counted by dimension and role; who took part in nothing has a row of zeros (活动参与窗口)."
owner        = "youth_league_committee"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "recommendation", "evaluation"]

[columns]
n                     = { unit = "day", about = "Days of the window that the activity system covers: who took part in nothing is known to have taken part in nothing." }
activity_n            = { about = "Activities attended." }
moral_n               = { about = "Of moral education (德育)." }
intellectual_n        = { about = "Of intellectual education (智育)." }
physical_n            = { about = "Of physical education (体育)." }
aesthetic_n           = { about = "Of aesthetic education (美育)." }
labor_n               = { about = "Of labour education (劳育)." }
safety_n              = { about = "Of safety education (安全教育)." }
organiser_n           = { about = "As an organiser or volunteer." }
ideology_n            = { about = "Party and league days and lectures." }
hour_tenths           = { about = "Hours credited, in tenths." }
ideology_hour_tenths  = { about = "Hours credited for party and league days and lectures, in tenths." }
volunteer_hour_tenths = { about = "Hours credited for volunteering, in tenths." }
---*/

WITH covered AS (
    SELECT least(120, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', min(checked_in_at))) AS BIGINT) / 86400) AS n
    FROM fct_participation
    HAVING count(*) > 0
)

SELECT
    dim_student.student_key,
    max(covered.n) AS n,
    count(DISTINCT came.activity_id) AS activity_n,
    count(DISTINCT CASE WHEN came.dimension = 'moral' THEN came.activity_id END) AS moral_n,
    count(DISTINCT CASE WHEN came.dimension = 'intellectual' THEN came.activity_id END) AS intellectual_n,
    count(DISTINCT CASE WHEN came.dimension = 'physical' THEN came.activity_id END) AS physical_n,
    count(DISTINCT CASE WHEN came.dimension = 'aesthetic' THEN came.activity_id END) AS aesthetic_n,
    count(DISTINCT CASE WHEN came.dimension = 'labor' THEN came.activity_id END) AS labor_n,
    count(DISTINCT CASE WHEN came.dimension = 'safety' THEN came.activity_id END) AS safety_n,
    count(DISTINCT CASE WHEN came.role IN ('organiser', 'volunteer') THEN came.activity_id END) AS organiser_n,
    count(DISTINCT CASE WHEN came.kind IN ('party_league_day', 'ideology_lecture') THEN came.activity_id END) AS ideology_n,
    sum(coalesce(came.hour_tenths, 0)) AS hour_tenths,
    sum(CASE WHEN came.kind IN ('party_league_day', 'ideology_lecture') THEN coalesce(came.hour_tenths, 0) ELSE 0 END) AS ideology_hour_tenths,
    sum(CASE WHEN came.kind = 'volunteering' THEN coalesce(came.hour_tenths, 0) ELSE 0 END) AS volunteer_hour_tenths
FROM dim_student
CROSS JOIN covered
LEFT JOIN fct_participation AS came ON came.student_key = dim_student.student_key
    AND came.occurred_on >= $as_of - INTERVAL '120' DAY
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

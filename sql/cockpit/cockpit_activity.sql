/*---
kind         = "table"
about        = "Activities of 60 days by dimension, whole and each: how many, who came, who said what they thought of it (活动参与与评价)."
owner        = "youth_league_committee"
materialized = "as_of"
grain        = ["dimension"]
purpose      = ["cockpit", "evaluation"]

[columns]
dimension      = { about = "moral, intellectual, physical, aesthetic, labor or safety; all for the whole.", class = "internal" }
activity_n     = { about = "Activities with anybody there.", class = "internal" }
attendance_n   = { about = "Attendances.", class = "internal" }
participant_n  = { about = "Students who came to any; empty for one to four.", class = "internal" }
repeat_n       = { about = "Of these, who came to more than one; empty for one to four.", class = "internal" }
rated_n        = { about = "Ratings of activities by students (有评价).", class = "internal" }
feedback_share = { unit = "share", about = "Ratings over attendances (评价率).", class = "internal" }
rating         = { unit = "stars", about = "Mean rating, one to five; empty below five ratings.", class = "internal" }
---*/

WITH came AS (
    SELECT student_key, activity_id, dimension
    FROM fct_participation
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND dimension IS NOT NULL
),

scoped AS (
    SELECT dimension, student_key, activity_id FROM came
    UNION ALL
    SELECT 'all' AS dimension, student_key, activity_id FROM came
),

person AS (
    SELECT dimension, student_key, count(DISTINCT activity_id) AS activity_n, count(*) AS attendance_n
    FROM scoped
    GROUP BY dimension, student_key
),

people AS (
    SELECT
        dimension,
        count(*) AS participant_n,
        sum(CASE WHEN activity_n > 1 THEN 1 ELSE 0 END) AS repeat_n,
        sum(attendance_n) AS attendance_n
    FROM person
    GROUP BY dimension
),

held AS (
    SELECT dimension, count(DISTINCT activity_id) AS activity_n
    FROM scoped
    GROUP BY dimension
),

rated AS (
    SELECT stg_activity.dimension, stg_activity_feedback.rating
    FROM stg_activity_feedback
    INNER JOIN stg_activity ON stg_activity.activity_id = stg_activity_feedback.activity_id
    WHERE stg_activity_feedback.occurred_on >= $as_of - INTERVAL '60' DAY
),

rating AS (
    SELECT dimension, count(*) AS rated_n, CAST(sum(rating) AS DECIMAL(18, 6)) / count(*) AS rating
    FROM (SELECT dimension, rating FROM rated UNION ALL SELECT 'all' AS dimension, rating FROM rated) AS both
    GROUP BY dimension
)

SELECT
    held.dimension,
    held.activity_n,
    people.attendance_n,
    CASE WHEN people.participant_n >= ${k_default} THEN people.participant_n END AS participant_n,
    CASE WHEN people.repeat_n = 0 OR people.repeat_n >= ${k_default} THEN people.repeat_n END AS repeat_n,
    coalesce(rating.rated_n, 0) AS rated_n,
    CAST(coalesce(rating.rated_n, 0) AS DOUBLE) / people.attendance_n AS feedback_share,
    CASE WHEN rating.rated_n >= ${k_default} THEN CAST(rating.rating AS DOUBLE) END AS rating
FROM held
INNER JOIN people ON people.dimension = held.dimension
LEFT JOIN rating ON rating.dimension = held.dimension

/*---
kind         = "table"
about        = "Activities of 60 days by dimension, whole and each: how many, who came, who said what they thought of it (活动参与与评价)."
about_zh     = "近60天的活动，合计及分类别：办了多少、多少人参加、多少人评价及评价如何。"
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
    SELECT dimension, student_key, activity_id, count(*) AS attendance_n
    FROM fct_participation
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND dimension IS NOT NULL
    GROUP BY dimension, student_key, activity_id
),

-- A row counts for its dimension and for the whole: read once, and doubled where it is counted.
part AS (
    SELECT * FROM (VALUES (TRUE), (FALSE)) AS part (is_whole)
),

person AS (
    SELECT dimension, student_key, count(*) AS activity_n, sum(attendance_n) AS attendance_n
    FROM came
    GROUP BY dimension, student_key
),

person_scoped AS (
    SELECT
        CASE WHEN part.is_whole THEN 'all' ELSE person.dimension END AS dimension,
        person.student_key,
        sum(person.activity_n) AS activity_n,
        sum(person.attendance_n) AS attendance_n
    FROM part
    CROSS JOIN person
    GROUP BY CASE WHEN part.is_whole THEN 'all' ELSE person.dimension END, person.student_key
),

people AS (
    SELECT
        dimension,
        count(*) AS participant_n,
        sum(CASE WHEN activity_n > 1 THEN 1 ELSE 0 END) AS repeat_n,
        sum(attendance_n) AS attendance_n
    FROM person_scoped
    GROUP BY dimension
),

-- An activity has one dimension, so those of the dimensions add up to all.
held AS (
    SELECT CASE WHEN part.is_whole THEN 'all' ELSE activity.dimension END AS dimension, count(*) AS activity_n
    FROM part
    CROSS JOIN (SELECT DISTINCT dimension, activity_id FROM came) AS activity
    GROUP BY CASE WHEN part.is_whole THEN 'all' ELSE activity.dimension END
),

rating AS (
    SELECT
        CASE WHEN part.is_whole THEN 'all' ELSE stg_activity.dimension END AS dimension,
        count(*) AS rated_n,
        CAST(sum(stg_activity_feedback.rating) AS DECIMAL(18, 6)) / count(*) AS rating
    FROM part
    CROSS JOIN stg_activity_feedback
    INNER JOIN stg_activity ON stg_activity.activity_id = stg_activity_feedback.activity_id
    WHERE stg_activity_feedback.occurred_on >= $as_of - INTERVAL '60' DAY
    GROUP BY CASE WHEN part.is_whole THEN 'all' ELSE stg_activity.dimension END
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

/*---
kind         = "table"
about        = "Activities of 60 days by dimension, whole and each: how many, who came, who said what they thought of it (活动参与与评价)."
about_zh     = "近60天的活动，合计及分类别：办了多少、多少人参加、多少人评价及评价如何。"
owner        = "youth_league_committee"
materialized = "as_of"
grain        = ["dimension"]
purpose      = ["cockpit", "evaluation"]

[columns]
dimension      = { about = "moral, intellectual, physical, aesthetic, labor or safety; all for the whole.", about_zh = "类别：moral 德育、intellectual 智育、physical 体育、aesthetic 美育、labor 劳育或 safety 安全；all 为合计。", class = "internal" }
activity_n     = { about = "Activities with anybody there.", about_zh = "有人参加的活动数。", class = "internal" }
attendance_n   = { about = "Attendances.", about_zh = "参加人次。", class = "internal" }
participant_n  = { about = "Students who came to any; empty for one to four.", about_zh = "参加过任一活动的学生数；一至四人时为空。", class = "internal" }
repeat_n       = { about = "Of these, who came to more than one; empty for one to four.", about_zh = "其中参加过一项以上的；一至四人时为空。", class = "internal" }
rated_n        = { about = "Ratings of activities by students (有评价).", about_zh = "学生对活动的评价数。", class = "internal" }
feedback_share = { unit = "share", about = "Ratings over attendances (评价率).", about_zh = "评价数除以参加人次（评价率）。", class = "internal" }
rating         = { unit = "stars", about = "Mean rating, one to five; empty below five ratings.", about_zh = "平均评分，1至5；评价不足五个时为空。", class = "internal" }
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

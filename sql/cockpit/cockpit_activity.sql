/*---
kind         = "table"
about        = "Activities of 60 days by dimension, whole and each: how many, who of those enrolled now came, who said what they thought of it (活动参与与评价). Fewer than five people are told of nowhere, and no told figure gives them away."
about_zh     = "近60天的活动，合计及分类别：办了多少、现在在籍的学生有多少人参加、多少人评价及评价如何。不足五人的不显示，也不能由已显示的数字推算出来。"
owner        = "youth_league_committee"
materialized = "as_of"
grain        = ["dimension"]
purpose      = ["cockpit", "evaluation"]

[columns]
dimension      = { about = "moral, intellectual, physical, aesthetic, labor or safety; all for the whole.", about_zh = "类别：moral 德育、intellectual 智育、physical 体育、aesthetic 美育、labor 劳育或 safety 安全；all 为合计。", class = "internal" }
activity_n     = { about = "Activities with anybody there who is enrolled now.", about_zh = "有现在在籍的学生参加的活动数。", class = "internal" }
attendance_n   = { about = "Attendances of students who are enrolled now; empty where the students are not told.", about_zh = "现在在籍的学生的参加人次；参加学生数不显示时为空。", class = "internal" }
participant_n  = { about = "Students enrolled now who came to any; empty if these, or those who did not, are one to four, and where that would follow from the whole. Who has left, and colleges below five, are counted nowhere.", about_zh = "现在在籍、参加过任一活动的学生数；参加或未参加的为一至四人，以及能由合计推算出时为空。已离校的和不足五人的学院不计。", class = "internal" }
repeat_n       = { about = "Of these, who came to more than one; empty if these, or the others, are one to four, and where those who came are not told.", about_zh = "其中参加过一项以上的；这些人或其余的为一至四人，以及参加学生数不显示时为空。", class = "internal" }
rated_n        = { about = "Ratings of activities by these students (有评价); empty if they are of one to four students, and where that would follow from the whole.", about_zh = "这些学生对活动的评价数；出自一至四名学生，以及能由合计推算出时为空。", class = "internal" }
feedback_share = { unit = "share", about = "Ratings over attendances (评价率).", about_zh = "评价数除以参加人次（评价率）。", class = "internal" }
rating         = { unit = "stars", about = "Mean rating, one to five; empty below five students who rated.", about_zh = "平均评分，1至5；评价的学生不足五人时为空。", class = "internal" }
---*/

-- Whoever is counted among those who could have come: the same students as in cockpit_contact, so that nobody follows from two wholes.
WITH pupil AS (
    SELECT student_key, count(*) OVER (PARTITION BY college) AS college_n
    FROM dim_student
    WHERE as_of_on = $as_of AND is_enrolled AND college IS NOT NULL
),

counted_pupil AS (
    SELECT student_key
    FROM pupil
    WHERE college_n >= ${k_default}
),

came AS (
    SELECT fct_participation.dimension, fct_participation.student_key, fct_participation.activity_id, count(*) AS attendance_n
    FROM fct_participation
    INNER JOIN counted_pupil ON counted_pupil.student_key = fct_participation.student_key
    WHERE fct_participation.occurred_on >= $as_of - INTERVAL '60' DAY AND fct_participation.dimension IS NOT NULL
    GROUP BY fct_participation.dimension, fct_participation.student_key, fct_participation.activity_id
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
        count(DISTINCT stg_activity_feedback.student_key) AS rater_n,
        CAST(sum(stg_activity_feedback.rating) AS DECIMAL(18, 6)) / count(*) AS rating
    FROM part
    CROSS JOIN stg_activity_feedback
    INNER JOIN stg_activity ON stg_activity.activity_id = stg_activity_feedback.activity_id
    INNER JOIN counted_pupil ON counted_pupil.student_key = stg_activity_feedback.student_key
    WHERE stg_activity_feedback.occurred_on >= $as_of - INTERVAL '60' DAY AND stg_activity.dimension IS NOT NULL
    GROUP BY CASE WHEN part.is_whole THEN 'all' ELSE stg_activity.dimension END
),

counted AS (
    SELECT
        held.dimension,
        held.activity_n,
        people.attendance_n,
        people.participant_n,
        people.repeat_n,
        coalesce(rating.rated_n, 0) AS rated_n,
        coalesce(rating.rater_n, 0) AS rater_n,
        rating.rating,
        pupils.student_n
    FROM held
    INNER JOIN people ON people.dimension = held.dimension
    LEFT JOIN rating ON rating.dimension = held.dimension
    CROSS JOIN (SELECT count(*) AS student_n FROM counted_pupil) AS pupils
),

-- One figure a row, so that what is told of dimensions beside the whole is decided in one place for all of them. People, and not what
-- they did: many ratings of few students are as few.
cell AS (
    SELECT
        counted.dimension,
        counted.dimension <> 'all' AS is_part,
        figure.figure,
        CASE figure.figure WHEN 'participant' THEN participant_n WHEN 'repeat' THEN repeat_n ELSE rater_n END AS n,
        -- What the figure tells beside another one: who did not come, who came once.
        CASE figure.figure WHEN 'participant' THEN student_n - participant_n WHEN 'repeat' THEN participant_n - repeat_n ELSE 0 END AS beside_n
    FROM counted
    CROSS JOIN (VALUES ('participant'), ('repeat'), ('rated')) AS figure (figure)
),

marked AS (
    SELECT
        *,
        n BETWEEN 1 AND ${k_default} - 1
            OR beside_n BETWEEN 1 AND ${k_default} - 1
            -- Nearly all of those who came at all: the few others came to something else only.
            OR (is_part AND figure = 'participant'
                AND max(CASE WHEN NOT is_part THEN n END) OVER (PARTITION BY figure) - n BETWEEN 1 AND ${k_default} - 1) AS is_small
    FROM cell
),

ranked AS (
    SELECT
        *,
        is_part AND NOT is_small AND n >= ${k_default} AS is_other,
        sum(CASE WHEN is_part AND is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN is_part AND is_small THEN n ELSE 0 END) OVER own AS small_sum,
        sum(CASE WHEN is_part AND NOT is_small AND n >= ${k_default} THEN 1 ELSE 0 END) OVER own AS other_n,
        row_number() OVER (PARTITION BY figure
            ORDER BY CASE WHEN is_part AND NOT is_small AND n >= ${k_default} THEN 0 ELSE 1 END, n, dimension) AS place
    FROM marked
    WINDOW own AS (PARTITION BY figure)
),

-- Attendances and ratings of the dimensions add up to all. One hidden dimension among told ones would follow, and so would several
-- whose sum is small itself or the most that so many small ones can have: then the smallest of the others is hidden as well, or the
-- whole where there is no other.
told AS (
    SELECT
        dimension,
        max(CASE WHEN figure = 'participant' THEN 1 ELSE 0 END) = 1 AS is_participant_told,
        max(CASE WHEN figure = 'repeat' THEN 1 ELSE 0 END) = 1 AS is_repeat_told,
        max(CASE WHEN figure = 'rated' THEN 1 ELSE 0 END) = 1 AS is_rated_told
    FROM ranked
    WHERE NOT is_small
        AND NOT (small_n > 0 AND (small_n = 1 OR small_sum < ${k_default} OR small_sum IN (small_n, (${k_default} - 1) * small_n))
            AND CASE WHEN is_part THEN is_other AND place = 1 ELSE other_n = 0 END)
    GROUP BY dimension
)

SELECT
    counted.dimension,
    counted.activity_n,
    CASE WHEN told.is_participant_told THEN counted.attendance_n END AS attendance_n,
    CASE WHEN told.is_participant_told THEN counted.participant_n END AS participant_n,
    -- A hidden figure is no less than what is told to be a part of it.
    CASE WHEN told.is_participant_told AND told.is_repeat_told THEN counted.repeat_n END AS repeat_n,
    CASE WHEN told.is_rated_told THEN counted.rated_n END AS rated_n,
    CASE WHEN told.is_participant_told AND told.is_rated_told THEN CAST(counted.rated_n AS DOUBLE) / counted.attendance_n END AS feedback_share,
    CASE WHEN told.is_rated_told AND counted.rater_n >= ${k_default} THEN CAST(counted.rating AS DOUBLE) END AS rating
FROM counted
LEFT JOIN told ON told.dimension = counted.dimension

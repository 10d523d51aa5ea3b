/*---
kind      = "measure"
about     = "Others met at two or more of the same activities over 120 days (共同参与人数)."
about_zh  = "近120天里，在两次或以上相同活动中都遇到的其他人数；只看人数不多的活动，数百人的大活动不计。已退出社交类指标的人不计入任何人的数字，自己也没有此项。"
title_zh  = "共同参与人数"
title_en  = "Met at activities"
owner     = "psychology_center"
subject   = "student_key"
purpose   = ["care"]
dimension = "social"
facet     = "company"
unit      = "count"
window    = "120d"
n_min     = 2
cov_min   = 0.0
mad_floor = 1.0
class     = "closed"

[settings]
people_max = 60
---*/

-- An activity of hundreds says nothing about any two of them.
WITH small AS (
    SELECT activity_id
    FROM fct_participation
    WHERE occurred_on >= $as_of - INTERVAL '120' DAY
    GROUP BY activity_id
    HAVING count(DISTINCT student_key) <= ${people_max}
),

-- An activity of several days is one: who came on two of them has not met the others at two activities.
there AS (
    SELECT DISTINCT fct_participation.student_key, fct_participation.activity_id
    FROM fct_participation
    INNER JOIN small ON small.activity_id = fct_participation.activity_id
    LEFT JOIN closed_social_left ON closed_social_left.student_key = fct_participation.student_key
    -- Who objects has no company and is nobody's.
    WHERE closed_social_left.student_key IS NULL AND fct_participation.occurred_on >= $as_of - INTERVAL '120' DAY
),

pair AS (
    SELECT own.student_key, other.student_key AS other_key, count(*) AS times
    FROM there AS own
    INNER JOIN there AS other ON other.activity_id = own.activity_id
    WHERE own.student_key <> other.student_key
    GROUP BY own.student_key, other.student_key
),

total AS (
    SELECT student_key, count(*) AS n
    FROM there
    GROUP BY student_key
),

met AS (
    SELECT student_key, count(*) AS others_n
    FROM pair
    WHERE times >= 2
    GROUP BY student_key
)

SELECT
    total.student_key,
    coalesce(met.others_n, 0) AS value,
    total.n,
    1.0 AS cov
FROM total
LEFT JOIN met ON met.student_key = total.student_key

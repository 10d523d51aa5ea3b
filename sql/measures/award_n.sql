/*---
kind      = "measure"
about     = "Awards of the last three years (获奖次数)."
about_zh  = "近三年获得的奖项数。没有获奖即为0。"
title_zh  = "获奖次数"
title_en  = "Awards"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "evaluation"]
dimension = "practice"
facet     = "award"
unit      = "count"
window    = "3y"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

WITH covered AS (
    SELECT least(1095, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', day_start(min(awarded_on)))) AS BIGINT) / 86400) AS n
    FROM stg_award
    HAVING count(*) > 0
)

SELECT
    dim_student.student_key,
    count(DISTINCT stg_award.award_id) AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN stg_award ON stg_award.student_key = dim_student.student_key
    AND stg_award.awarded_on >= $as_of - INTERVAL '1095' DAY AND stg_award.awarded_on < $as_of
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

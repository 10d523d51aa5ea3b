/*---
kind      = "tag"
about     = "An award within the last year."
about_zh  = "近一年内获过奖。"
title_zh  = "近一年获奖"
title_en  = "Recent award"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "practice"
---*/

SELECT
    student_key,
    max(awarded_on) AS since_on,
    CAST(max(awarded_on) + INTERVAL '365' DAY AS DATE) AS expires_on,
    count(*) AS n,
    concat('近一年获奖', CAST(count(*) AS VARCHAR), '项，最近一项为“', first_value(title ORDER BY awarded_on DESC, award_id DESC), '”（', CAST(max(awarded_on) AS VARCHAR), '）。') AS evidence_zh,
    concat('Awards within a year: ', CAST(count(*) AS VARCHAR), '; the newest on ', CAST(max(awarded_on) AS VARCHAR), '.') AS evidence_en,
    'award' AS source
FROM stg_award
WHERE awarded_on < $as_of AND awarded_on >= $as_of - INTERVAL '365' DAY
GROUP BY student_key

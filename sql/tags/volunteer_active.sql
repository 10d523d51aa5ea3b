/*---
kind      = "tag"
about     = "Six hours or more of volunteering within four months."
about_zh  = "四个月内志愿服务六小时或以上。"
title_zh  = "志愿服务活跃"
title_en  = "Active volunteer"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "practice"

[settings]
hours_min = 6
---*/

SELECT
    student_key,
    $as_of AS since_on,
    CAST($as_of + INTERVAL '30' DAY AS DATE) AS expires_on,
    n,
    concat('近120天志愿服务约', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), '小时。') AS evidence_zh,
    concat('About ', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), ' hours of volunteering in 120 days.') AS evidence_en,
    'feat_measure' AS source
FROM feat_measure
WHERE as_of_on = $as_of AND measure = 'volunteer_hours' AND value >= ${hours_min}

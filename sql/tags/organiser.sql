/*---
kind      = "tag"
about     = "Organised or helped with three activities or more within four months."
about_zh  = "四个月内组织或协助了三项或以上活动。"
title_zh  = "活动组织者"
title_en  = "Organises activities"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "practice"

[settings]
n_min = 3
---*/

SELECT
    student_key,
    $as_of AS since_on,
    CAST($as_of + INTERVAL '30' DAY AS DATE) AS expires_on,
    n,
    concat('近120天组织或服务活动', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), '次。') AS evidence_zh,
    concat('Organised or helped with ', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), ' activities in 120 days.') AS evidence_en,
    'feat_measure' AS source
FROM feat_measure
WHERE as_of_on = $as_of AND measure = 'organiser_n' AND value >= ${n_min}

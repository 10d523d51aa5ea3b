/*---
kind      = "tag"
about     = "Sixteen hours or more in the library within four weeks."
about_zh  = "四周内在图书馆十六小时或以上。"
title_zh  = "常去图书馆"
title_en  = "Often in the library"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "academic"

[settings]
hours_min = 16
---*/

SELECT
    student_key,
    $as_of AS since_on,
    CAST($as_of + INTERVAL '14' DAY AS DATE) AS expires_on,
    n,
    concat('近28天在馆约', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), '小时。') AS evidence_zh,
    concat('About ', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), ' hours in the library in 28 days.') AS evidence_en,
    'feat_measure' AS source
FROM feat_measure
WHERE as_of_on = $as_of AND measure = 'library_hours' AND value >= ${hours_min}

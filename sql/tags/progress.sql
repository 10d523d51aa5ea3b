/*---
kind      = "tag"
about     = "Mean score rises two points a term or more, over three terms at least."
about_zh  = "平均分每学期上升两分或以上，至少三个学期。"
title_zh  = "成绩进步"
title_en  = "Rising scores"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "academic"

[settings]
points_min = 2.0
---*/

SELECT
    student_key,
    $as_of AS since_on,
    CAST($as_of + INTERVAL '180' DAY AS DATE) AS expires_on,
    n,
    concat('近', CAST(n AS VARCHAR), '个学期均分平均每学期上升约', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), '分。') AS evidence_zh,
    concat('The mean score rose by about ', CAST(CAST(round(value) AS BIGINT) AS VARCHAR), ' points a term over ', CAST(n AS VARCHAR), ' terms.') AS evidence_en,
    'feat_measure' AS source
FROM feat_measure
WHERE as_of_on = $as_of AND measure = 'gpa_trend' AND value >= ${points_min}

/*---
kind      = "tag"
about     = "Breakfast in the canteen on four of five campus days or more."
about_zh  = "五个在校日中至少四天在食堂吃早餐。"
title_zh  = "早餐规律"
title_en  = "Regular breakfast"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "life"

[settings]
rate_min = 0.8
---*/

SELECT
    student_key,
    $as_of AS since_on,
    CAST($as_of + INTERVAL '14' DAY AS DATE) AS expires_on,
    n,
    concat('近28天在校日中，', CAST(CAST(round(100 * value) AS BIGINT) AS VARCHAR), '%有早餐记录。') AS evidence_zh,
    concat('Breakfast on ', CAST(CAST(round(100 * value) AS BIGINT) AS VARCHAR), '% of campus days of the last 28.') AS evidence_en,
    'feat_measure' AS source
FROM feat_measure
WHERE as_of_on = $as_of AND measure = 'breakfast_rate' AND value >= ${rate_min}

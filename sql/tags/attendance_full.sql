/*---
kind      = "tag"
about     = "Present at every class in which the roll was called within four weeks, ten at least."
about_zh  = "近四周凡点名的课都到课，至少十次。"
title_zh  = "全勤"
title_en  = "Never missed a class"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "academic"

[settings]
n_min = 10
---*/

SELECT
    student_key,
    $as_of AS since_on,
    CAST($as_of + INTERVAL '14' DAY AS DATE) AS expires_on,
    n,
    concat('近28天点名', CAST(n AS VARCHAR), '次，全部到课。') AS evidence_zh,
    concat('Present at all ', CAST(n AS VARCHAR), ' roll-calls in 28 days.') AS evidence_en,
    'feat_measure' AS source
FROM feat_measure
WHERE as_of_on = $as_of AND measure = 'class_attendance_rate' AND value >= 1 AND n >= ${n_min}

/*---
kind      = "measure"
about     = "Classes attended, late or not, over classes in which the roll was called and no leave was given, over 28 days (到课率)."
title_zh  = "到课率"
title_en  = "Class attendance"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "class"
unit      = "share"
window    = "28d"
n_min     = 6
cov_min   = 0.0
mad_floor = 0.05
class     = "trace"
---*/

SELECT
    student_key,
    CAST(sum(CASE WHEN state IN ('present', 'late') THEN 1 ELSE 0 END) AS DECIMAL(18, 6))
        / nullif(sum(CASE WHEN state <> 'leave' THEN 1 ELSE 0 END), 0) AS value,
    sum(CASE WHEN state <> 'leave' THEN 1 ELSE 0 END) AS n,
    1.0 AS cov
FROM stg_class_attendance
WHERE occurred_on >= $as_of - INTERVAL '28' DAY
GROUP BY student_key

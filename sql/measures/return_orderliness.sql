/*---
kind      = "measure"
about     = "Minus the Lempel-Ziv entropy of the half-hours of the last entry into the dormitory after 20:00, nats; nearer to zero is more regular (归寝规律性)."
about_zh  = "近56天里，20:00之后最后一次进入宿舍在哪个半小时的规律程度：取这些半小时序列的 Lempel-Ziv 熵的相反数，单位奈特，越接近0越有规律。人脸通行不计。"
title_zh  = "归寝规律性"
title_en  = "Orderliness of the evening return"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "nats"
window    = "56d"
n_min     = 30
cov_min   = 0.8
mad_floor = 0.1
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    -actual_entropy(arrow_cast(int_campus_day.occurred_on, 'Int32'), int_campus_day.evening_last_in_minute / 30) AS value,
    count(int_campus_day.evening_last_in_minute) AS n,
    min(int_coverage.dorm_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
-- Who lives at home or elsewhere has no return to a dormitory, whatever its gates saw on a visit.
INNER JOIN dim_student ON dim_student.student_key = int_campus_day.student_key
    AND dim_student.as_of_on = $as_of AND dim_student.boarder = 'boarder' AND dim_student.is_enrolled
    AND dim_student.building_id IS NOT NULL
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '56' DAY
GROUP BY int_campus_day.student_key

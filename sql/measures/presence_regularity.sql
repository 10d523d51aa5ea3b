/*---
kind      = "measure"
about     = "How alike two days in a row are in being in the dormitory or out of it, minute by minute: 100 is the same, 0 is chance (在寝规律指数). Passages by face are left out."
about_zh  = "近28夜里，前后相邻两天逐分钟比较在寝还是外出有多相像：100为完全相同，0为与随机无异。门禁未能观测、请假和假期的夜晚不计，人脸通行不计。"
title_zh  = "在寝规律指数"
title_en  = "Regularity of presence"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "index"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 5.0
class     = "trace"
---*/

-- Only nights on which the gates of the building worked, and for which neither leave nor holiday says where the student was.
SELECT
    int_night.student_key,
    presence_regularity(arrow_cast(int_night.occurred_on, 'Int32'), int_campus_day.dorm_passages) AS value,
    count(*) AS n,
    CAST(sum(int_night.gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(int_night.gate_minutes_due), 0) AS cov
FROM int_night
LEFT JOIN int_campus_day ON int_campus_day.student_key = int_night.student_key AND int_campus_day.occurred_on = int_night.occurred_on
WHERE int_night.occurred_on >= $as_of - INTERVAL '28' DAY
    AND int_night.is_gate_seen AND NOT int_night.is_on_leave AND NOT int_night.is_free
GROUP BY int_night.student_key

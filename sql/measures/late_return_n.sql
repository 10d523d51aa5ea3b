/*---
kind      = "measure"
about     = "Nights of 28 on which the last entry into the dormitory came after 23:00 (晚归)."
about_zh  = "近28夜里，最后一次进入宿舍晚于楼栋关门时间的夜数；楼栋没有登记关门时间的，以23:00为准。"
title_zh  = "晚归次数"
title_en  = "Late returns"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "life"
facet     = "rhythm"
unit      = "count"
window    = "28d"
n_min     = 14
cov_min   = 0.8
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    int_night.student_key,
    sum(CASE WHEN int_night.is_late THEN 1 ELSE 0 END) AS value,
    -- Nights on leave, free nights and nights that no gate watched say nothing of when somebody came back.
    sum(CASE WHEN int_night.is_gate_seen AND NOT int_night.is_on_leave AND NOT int_night.is_free THEN 1 ELSE 0 END) AS n,
    CAST(sum(int_night.gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(int_night.gate_minutes_due), 0) AS cov
FROM int_night
WHERE int_night.occurred_on >= $as_of - INTERVAL '28' DAY
GROUP BY int_night.student_key

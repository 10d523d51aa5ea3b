/*---
kind      = "measure"
about     = "Nights of 28 without return, evidence on campus or leave while the gates worked (未归)."
about_zh  = "近28夜里，应归而未见回寝、没有校内记录、没有请假，且楼栋门禁正常的夜数。门禁未能观测的夜晚不算未归。"
title_zh  = "未归夜数"
title_en  = "Overnight absences"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "safety"
facet     = "night"
unit      = "count"
window    = "28d"
n_min     = 14
cov_min   = 0.8
mad_floor = 0.5
class     = "trace"
---*/

SELECT
    int_night.student_key,
    sum(CASE WHEN int_night.is_absent THEN 1 ELSE 0 END) AS value,
    -- Nights on leave, free nights and nights that no gate watched say nothing of when somebody came back.
    sum(CASE WHEN int_night.is_gate_seen AND NOT int_night.is_on_leave AND NOT int_night.is_free THEN 1 ELSE 0 END) AS n,
    CAST(sum(int_night.gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(int_night.gate_minutes_due), 0) AS cov
FROM int_night
WHERE int_night.occurred_on >= $as_of - INTERVAL '28' DAY
GROUP BY int_night.student_key

/*---
kind      = "measure"
about     = "Entries into the dormitory right after an entry per 28 days on campus (连续进门): somebody walked out behind another, or the reader missed it. For the safety desk only."
about_zh  = "进入宿舍后没有出门记录又再次进门的次数，按近28天的在校日折算成28个在校日。可能是跟在别人身后出门，也可能是读卡器漏记；人脸通行不计。仅供安全岗位查看。"
title_zh  = "连续进门次数"
title_en  = "Entries after an entry"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["public_safety"]
dimension = "safety"
facet     = "device"
unit      = "count"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(28 * sum(int_campus_day.double_in_n) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    min(int_coverage.dorm_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

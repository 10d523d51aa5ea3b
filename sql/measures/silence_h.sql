/*---
kind      = "measure"
about     = "Hours since the last evidence on any channel, of devices or of people who saw the student (数据无记录时长)."
about_zh  = "距最近一条校内记录有多少小时，最多回看60天：校园卡、门禁、图书馆，以及课堂点名、查寝在寝、未归核实、个别谈话；扫码签到、接待日登记和集体谈话不算。60天内没有任何记录的，为数据不足，不计算。"
title_zh  = "距最近一次校内记录"
title_en  = "Silence"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "safety"
facet     = "trace"
unit      = "hour"
window    = "60d"
n_min     = 1
cov_min   = 0.0
mad_floor = 6.0
class     = "trace"
---*/

-- Support is the number of days with evidence; who was never seen has no silence but no data.
SELECT
    int_trace_day.student_key,
    CAST(date_part('epoch', day_start($as_of)) - date_part('epoch', max(int_trace_day.last_seen_at)) AS BIGINT) / 3600 AS value,
    count(*) AS n,
    min(int_coverage.all_cov) AS cov
FROM int_trace_day
CROSS JOIN int_coverage
GROUP BY int_trace_day.student_key

/*---
kind      = "measure"
about     = "Requests that the student calls settled well or well enough, over those rated, in one year (诉求满意率)."
about_zh  = "近一年提出并已评价的诉求中，本人评为满意或基本满意的比例。没有评价的不计。"
title_zh  = "诉求满意率"
title_en  = "Satisfaction with requests"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "request"
facet     = "request"
unit      = "share"
window    = "1y"
n_min     = 1
cov_min   = 0.0
mad_floor = 0.2
class     = "trace"
---*/

SELECT
    student_key,
    CAST(sum(CASE WHEN satisfaction IN ('satisfied', 'basically_satisfied') THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(satisfaction) AS value,
    count(satisfaction) AS n,
    1.0 AS cov
FROM fct_ticket
WHERE student_key IS NOT NULL AND satisfaction IS NOT NULL AND submitted_at >= day_start(CAST($as_of - INTERVAL '365' DAY AS DATE))
GROUP BY student_key

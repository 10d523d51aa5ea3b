/*---
kind      = "measure"
about     = "Change of volunteering a term, by four teaching weeks: the middle of all slopes between terms (学期志愿成长)."
about_zh  = "各学期参加志愿服务次数（折合每28个教学日）每学期变化多少：取近三年各学期两两之间斜率的中位数。只计就读且活动数据覆盖满28个教学日的学期，不足三个学期的为数据不足。"
title_zh  = "学期志愿成长"
title_en  = "Growth of volunteering by term"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "evaluation"]
dimension = "practice"
facet     = "participation"
unit      = "count"
window    = "3y"
n_min     = 3
cov_min   = 0.0
mad_floor = 0.2
class     = "trace"
---*/

SELECT
    student_key,
    theil_sen(term_no, CAST(28 * volunteer_n AS DECIMAL(18, 6)) / day_n) AS value,
    count(*) AS n,
    1.0 AS cov
FROM int_term_participation
GROUP BY student_key

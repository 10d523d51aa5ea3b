/*---
kind      = "measure"
about     = "Hours of volunteering over 120 days (志愿服务时长)."
about_zh  = "近120天的志愿服务时长，以小时计。"
title_zh  = "志愿服务时长"
title_en  = "Hours of volunteering"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "practice"
facet     = "participation"
unit      = "hour"
window    = "120d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, CAST(volunteer_hour_tenths AS DECIMAL(18, 6)) / 10 AS value, n, 1.0 AS cov
FROM int_participation_window

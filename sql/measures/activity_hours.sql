/*---
kind      = "measure"
about     = "Hours credited for activities over 120 days (活动时长)."
about_zh  = "近120天参加活动被认定的时长，以小时计。"
title_zh  = "活动时长"
title_en  = "Hours in activities"
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

SELECT student_key, CAST(hour_tenths AS DECIMAL(18, 6)) / 10 AS value, n, 1.0 AS cov
FROM int_participation_window

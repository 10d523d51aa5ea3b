/*---
kind      = "measure"
about     = "Hours credited for party and league days and lectures over 120 days (思想引领活动时长)."
about_zh  = "近120天参加党团日活动和思想类讲座被认定的时长，以小时计。"
title_zh  = "思想引领活动时长"
title_en  = "Hours in party and league activities"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "ideology_participation"
facet     = "participation"
unit      = "hour"
window    = "120d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, CAST(ideology_hour_tenths AS DECIMAL(18, 6)) / 10 AS value, n, 1.0 AS cov
FROM int_participation_window

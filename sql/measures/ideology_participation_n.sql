/*---
kind      = "measure"
about     = "Party and league days and lectures attended over 120 days (思想引领活动参与). Participation only: what anybody thinks is no data."
about_zh  = "近120天参加的党团日活动和思想类讲座数。只计参与：人的思想不是数据。"
title_zh  = "思想引领活动参与"
title_en  = "Party and league activities"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "ideology_participation"
facet     = "participation"
unit      = "count"
window    = "120d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, ideology_n AS value, n, 1.0 AS cov
FROM int_participation_window

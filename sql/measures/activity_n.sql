/*---
kind      = "measure"
about     = "Activities attended over 120 days (参加活动数)."
about_zh  = "近120天参加的活动数；一项活动跨多天只算一项。没有参加即为0。"
title_zh  = "参加活动数"
title_en  = "Activities attended"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "practice"
facet     = "participation"
unit      = "count"
window    = "120d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, activity_n AS value, n, 1.0 AS cov
FROM int_participation_window

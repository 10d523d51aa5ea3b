/*---
kind      = "measure"
about     = "Activities of the dimension physical attended over 120 days (体育活动)."
about_zh  = "近120天参加的体育类活动数；一项活动跨多天只算一项。"
title_zh  = "体育活动"
title_en  = "Physical education"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "practice"
facet     = "five_education"
unit      = "count"
window    = "120d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, physical_n AS value, n, 1.0 AS cov
FROM int_participation_window

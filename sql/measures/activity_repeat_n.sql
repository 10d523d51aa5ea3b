/*---
kind      = "measure"
about     = "Activities attended over 120 days beyond the first of their kind: who came once and came again (重复参与)."
about_zh  = "近120天参加的活动中，同一种类第二次起的次数：来过一次又再来。"
title_zh  = "重复参与"
title_en  = "Came again"
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

SELECT student_key, repeat_n AS value, n, 1.0 AS cov
FROM int_participation_window

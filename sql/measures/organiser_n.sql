/*---
kind      = "measure"
about     = "Activities organised or helped with over 120 days (组织与服务次数)."
about_zh  = "近120天以组织者或志愿者身份参加的活动数。"
title_zh  = "组织与服务次数"
title_en  = "Activities organised"
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

SELECT student_key, organiser_n AS value, n, 1.0 AS cov
FROM int_participation_window

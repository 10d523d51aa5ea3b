/*---
kind      = "measure"
about     = "Requests raised over 180 days that are not resolved (在办诉求)."
about_zh  = "近180天提出、尚未办结的诉求件数。"
title_zh  = "在办诉求"
title_en  = "Open requests"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "request"
facet     = "request"
unit      = "count"
window    = "180d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, open_n AS value, n, 1.0 AS cov
FROM int_ticket_window

/*---
kind      = "measure"
about     = "Requests raised over 180 days (诉求件数)."
about_zh  = "近180天提出的诉求件数。没有提出即为0。"
title_zh  = "诉求件数"
title_en  = "Requests"
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

SELECT student_key, ticket_n AS value, n, 1.0 AS cov
FROM int_ticket_window

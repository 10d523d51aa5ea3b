/*---
kind      = "measure"
about     = "Requests over 180 days beyond the first of their category (重复诉求)."
about_zh  = "近180天提出的诉求中，同一类别第二件起的件数。"
title_zh  = "重复诉求"
title_en  = "Repeated requests"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "request"
facet     = "request"
unit      = "count"
window    = "180d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, repeat_n AS value, n, 1.0 AS cov
FROM int_ticket_window

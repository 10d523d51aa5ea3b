/*---
kind      = "measure"
about     = "Days since the oldest request that is still open was raised; 0 where none is (在办诉求最长天数)."
about_zh  = "仍未办结的诉求中，最早的一件已提出多少天；没有未办结的为0。"
title_zh  = "在办诉求最长天数"
title_en  = "Age of the oldest open request"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "request"
facet     = "request"
unit      = "days"
window    = "180d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

SELECT student_key, open_age AS value, n, 1.0 AS cov
FROM int_ticket_window

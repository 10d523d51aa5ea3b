/*---
kind     = "list"
about    = "Requests past their deadline and still open (工单超期)."
about_zh = "已过办结时限仍未办结的工单。"
title_zh = "工单超期"
title_en = "Requests past their deadline"
owner    = "student_affairs_office"
grain    = ["ticket_id"]
subject  = "student_key"
purpose  = ["service"]

[columns]
ticket_id    = { title_zh = "工单号", title_en = "Request" }
category     = { title_zh = "类别", title_en = "Category" }
office       = { title_zh = "责任部门", title_en = "Office" }
submitted_at = { title_zh = "提交时间", title_en = "Sent" }
due_at       = { title_zh = "时限", title_en = "Due" }
overdue_h    = { about = "Hours past the deadline.", about_zh = "超过时限的小时数。", title_zh = "已超期（小时）", title_en = "Hours over" }
---*/

SELECT
    fct_ticket.ticket_id,
    fct_ticket.student_key,
    fct_ticket.category,
    fct_ticket.office,
    fct_ticket.submitted_at,
    fct_ticket.due_at,
    CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', fct_ticket.due_at)) AS BIGINT) / 3600 AS overdue_h
FROM fct_ticket
-- Of whom a death was entered is looked for by no list.
LEFT ANTI JOIN stg_student_departure AS gone ON gone.student_key = fct_ticket.student_key AND gone.gone_on <= $as_of
WHERE fct_ticket.is_overdue

/*---
kind     = "list"
live     = true
about    = "Requests that are still open and whose deadline is within a day or has passed, as far as the registers have come in (工单临期)."
about_zh = "仍未办结、距时限不足一天或已超期的工单，按已导入的登记。"
title_zh = "工单临期"
title_en = "Requests near their deadline"
owner    = "student_affairs_office"
grain    = ["ticket_id"]
subject  = "student_key"
purpose  = ["service"]

[settings]
near = "24 hours"

[columns]
ticket_id    = { title_zh = "工单号", title_en = "Request" }
category     = { title_zh = "类别", title_en = "Category" }
office       = { about = "Office that answers for it, by name where the register has one.", about_zh = "负责办理的部门；登记册有名称时为名称。", title_zh = "责任部门", title_en = "Office" }
submitted_at = { title_zh = "提交时间", title_en = "Sent" }
due_at       = { title_zh = "时限", title_en = "Due" }
from_at      = { about = "A day before the deadline; the row holds from then on.", about_zh = "期限前一天；该行自此有效。", title_zh = "提醒起", title_en = "Since" }
---*/

WITH step AS (
    SELECT
        ticket_id,
        max(CASE WHEN stage = 'resolved' THEN occurred_at END) AS resolved_at,
        max(CASE WHEN stage = 'reopened' THEN occurred_at END) AS reopened_at,
        max(CASE WHEN stage = 'withdrawn' THEN 1 ELSE 0 END) AS is_withdrawn
    FROM stg_ticket_event
    GROUP BY ticket_id
)

SELECT
    stg_ticket.ticket_id,
    stg_ticket.student_key,
    stg_ticket.category,
    coalesce(org_unit.unit_name, stg_ticket.office) AS office,
    stg_ticket.submitted_at,
    stg_ticket.due_at,
    stg_ticket.due_at - CAST(${near} AS INTERVAL) AS from_at
FROM stg_ticket
LEFT JOIN step ON step.ticket_id = stg_ticket.ticket_id
LEFT JOIN stg_org_unit AS org_unit ON org_unit.unit_id = stg_ticket.office
-- Of whom a death was entered is looked for by no list.
LEFT ANTI JOIN stg_student_departure AS gone ON gone.student_key = stg_ticket.student_key AND gone.gone_on <= $as_of
WHERE stg_ticket.due_at IS NOT NULL
    AND NOT coalesce(step.is_withdrawn = 1, FALSE)
    AND stg_ticket.status <> 'withdrawn'
    -- A step log says more than the export's own column; a reopening takes the resolution back.
    AND (
        coalesce(step.resolved_at, stg_ticket.resolved_at) IS NULL
        OR step.reopened_at > coalesce(step.resolved_at, stg_ticket.resolved_at)
    )

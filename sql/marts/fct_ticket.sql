/*---
kind         = "table"
about        = "Requests with the times of their loop: reported, dispatched, responded, resolved, followed up (接诉即办工单)."
about_zh     = "诉求及其办理各环节的时间：提出、派单、响应、办结、回访。"
owner        = "student_affairs_office"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["service", "cockpit", "portrait"]

[columns]
office        = { about = "Office that answers for it, by name where the register has one.", about_zh = "负责办理的部门，登记册中有名称的用名称。" }
satisfaction  = { about = "What the student said of the outcome, when asked back or in the register; empty before it was resolved.", about_zh = "回访时或登记中学生对结果的评价；办结之前为空。", class = "personal" }
is_solved     = { about = "Whether the student says that it is solved, when asked back (回访): yes, no, or empty.", about_zh = "回访时学生是否说已解决：是、否或为空。", class = "personal" }
dispatched_at = { about = "First dispatch to an office (集中转办).", about_zh = "第一次派单到部门（集中转办）。" }
responded_at  = { about = "First response (限期反馈).", about_zh = "第一次响应（限期反馈）。" }
closed_at     = { about = "Resolved and not reopened since.", about_zh = "办结且其后没有重新办理。" }
followed_up_at = { about = "First follow-up (跟踪问效).", about_zh = "第一次回访（跟踪问效）。" }
reopened_n    = { about = "Times it was opened again.", about_zh = "重新办理的次数。" }
state         = { about = "open, resolved or withdrawn, from the steps; the export's own state only where no step is known.", about_zh = "open 未办结、resolved 已办结或 withdrawn 已撤回，依据各环节；没有环节记录时才用来源自己的状态。" }
is_on_time    = { about = "Resolved by the deadline; empty while open or without deadline.", about_zh = "在时限内办结；未办结或没有时限时为空。" }
is_overdue    = { about = "Past the deadline and not resolved, as of the date.", about_zh = "到基准日已过时限而未办结。" }
---*/

WITH step AS (
    SELECT
        ticket_id,
        min(CASE WHEN stage = 'dispatched' THEN occurred_at END) AS dispatched_at,
        min(CASE WHEN stage = 'responded' THEN occurred_at END) AS responded_at,
        max(CASE WHEN stage = 'resolved' THEN occurred_at END) AS resolved_at,
        min(CASE WHEN stage = 'followed_up' THEN occurred_at END) AS followed_up_at,
        max(CASE WHEN stage = 'reopened' THEN occurred_at END) AS reopened_at,
        sum(CASE WHEN stage = 'reopened' THEN 1 ELSE 0 END) AS reopened_n,
        max(CASE WHEN stage = 'withdrawn' THEN 1 ELSE 0 END) AS is_withdrawn
    FROM stg_ticket_event
    GROUP BY ticket_id
),

-- What the student said when asked back; once a request.
said AS (
    SELECT ticket_id, min(satisfaction) AS satisfaction, min(is_solved) AS is_solved
    FROM stg_ticket_feedback
    GROUP BY ticket_id
),

known AS (
    SELECT
        ticket_id,
        student_key,
        channel,
        category,
        origin,
        coalesce(org_unit.unit_name, stg_ticket.office) AS office,
        building_id,
        submitted_at,
        due_at,
        -- The first load of a register tells how a request ended; before that day nobody knew.
        CASE WHEN resolved_at < day_start($as_of) THEN satisfaction END AS satisfaction,
        CASE WHEN resolved_at < day_start($as_of) THEN resolved_at END AS resolved_at,
        status
    FROM stg_ticket
    -- An office that the register does not name keeps its number.
    LEFT JOIN stg_org_unit AS org_unit ON org_unit.unit_id = stg_ticket.office
    WHERE submitted_at < day_start($as_of)
),

closed AS (
    SELECT
        known.*,
        coalesce(said.satisfaction, known.satisfaction) AS rating,
        said.is_solved,
        step.dispatched_at,
        step.responded_at,
        -- A step log says more than the export's own column; a reopening takes the resolution back.
        CASE WHEN step.reopened_at > coalesce(step.resolved_at, known.resolved_at) THEN NULL
            ELSE coalesce(step.resolved_at, known.resolved_at) END AS closed_at,
        step.followed_up_at,
        coalesce(step.reopened_n, 0) AS reopened_n,
        coalesce(step.is_withdrawn = 1, known.status = 'withdrawn') AS is_withdrawn
    FROM known
    LEFT JOIN step ON step.ticket_id = known.ticket_id
    LEFT JOIN said ON said.ticket_id = known.ticket_id
)

SELECT
    ticket_id,
    student_key,
    channel,
    category,
    origin,
    office,
    building_id,
    submitted_at,
    due_at,
    rating AS satisfaction,
    is_solved,
    dispatched_at,
    responded_at,
    closed_at,
    followed_up_at,
    reopened_n,
    CASE WHEN is_withdrawn THEN 'withdrawn' WHEN closed_at IS NOT NULL THEN 'resolved' ELSE 'open' END AS state,
    CASE WHEN NOT is_withdrawn AND closed_at IS NOT NULL AND due_at IS NOT NULL THEN closed_at <= due_at END AS is_on_time,
    NOT is_withdrawn AND closed_at IS NULL AND coalesce(due_at < day_start($as_of), FALSE) AS is_overdue
FROM closed

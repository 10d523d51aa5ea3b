/*---
kind         = "table"
about        = "The request loop in figures for the last 30 days and the 30 before, whole and by category, office and college of the student (接诉即办)."
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["grouped_by", "group_value", "period"]
purpose      = ["cockpit"]

[columns]
grouped_by    = { about = "all, category, office or college.", class = "internal" }
group_value   = { about = "The category, office or college; empty for all.", class = "internal" }
period        = { about = "now for the last 30 days, before for the 30 days before.", class = "internal" }
ticket_n      = { about = "Requests raised in the period.", class = "internal" }
due_n         = { about = "Requests whose deadline fell into the period, without those withdrawn.", class = "internal" }
on_time_n     = { about = "Of these, resolved by the deadline (按期办结); empty for a college with fewer than five due.", class = "internal" }
dispatched_n  = { about = "Requests of the period that were dispatched.", class = "internal" }
responded_n   = { about = "Requests of the period that got a response.", class = "internal" }
resolved_n    = { about = "Requests of the period that are resolved.", class = "internal" }
followed_up_n = { about = "Requests of the period that were followed up.", class = "internal" }
rated_n       = { about = "Requests of the period with a rating (有评价).", class = "internal" }
satisfied_n   = { about = "Of these, satisfied or basically satisfied.", class = "internal" }
confirmed_n   = { about = "Requests of the period whose student, asked back, said whether it is solved (回访成功).", class = "internal" }
solved_n      = { about = "Of these, solved by the student's own word (本人确认解决).", class = "internal" }
reopened_n    = { about = "Requests of the period that were opened again.", class = "internal" }
proactive_n   = { about = "Requests of the period that staff found themselves (未诉先办).", class = "internal" }
withdrawn_n   = { about = "Requests of the period that were withdrawn.", class = "internal" }
overdue_n     = { about = "Open past the deadline as of the date; the same for both periods.", class = "internal" }
median_hours  = { unit = "hours", about = "Median hours from raising to resolution, of the requests resolved in the period.", class = "internal" }
---*/

WITH period AS (
    SELECT * FROM (VALUES ('now', 30, 0), ('before', 60, 30)) AS period (period, from_days, to_days)
),

grouped AS (
    SELECT 'all' AS grouped_by, '' AS group_value, * FROM fct_ticket
    UNION ALL
    SELECT 'category' AS grouped_by, category AS group_value, * FROM fct_ticket
    UNION ALL
    SELECT 'office' AS grouped_by, office AS group_value, * FROM fct_ticket
    UNION ALL
    SELECT 'college' AS grouped_by, dim_student.college AS group_value, fct_ticket.*
    FROM fct_ticket
    INNER JOIN dim_student ON dim_student.student_key = fct_ticket.student_key AND dim_student.as_of_on = $as_of
),

placed AS (
    SELECT
        grouped.*,
        period.period,
        date_part('epoch', day_start($as_of)) - 86400 * period.from_days AS from_s,
        date_part('epoch', day_start($as_of)) - 86400 * period.to_days AS to_s,
        date_part('epoch', grouped.submitted_at) AS submitted_s,
        date_part('epoch', grouped.due_at) AS due_s,
        date_part('epoch', grouped.closed_at) AS closed_s
    -- The few rows come first: a join by comparison holds its first side in memory.
    FROM period
    CROSS JOIN grouped
),

marked AS (
    SELECT
        *,
        submitted_s >= from_s AND submitted_s < to_s AS is_raised,
        coalesce(due_s >= from_s AND due_s < to_s, FALSE) AND state <> 'withdrawn' AS is_due,
        coalesce(closed_s >= from_s AND closed_s < to_s, FALSE) AS is_closed
    FROM placed
)

SELECT
    grouped_by,
    coalesce(group_value, '') AS group_value,
    period,
    sum(CASE WHEN is_raised THEN 1 ELSE 0 END) AS ticket_n,
    sum(CASE WHEN is_due THEN 1 ELSE 0 END) AS due_n,
    CASE WHEN grouped_by <> 'college' OR sum(CASE WHEN is_due THEN 1 ELSE 0 END) >= 5
        THEN sum(CASE WHEN is_due AND is_on_time THEN 1 ELSE 0 END) END AS on_time_n,
    sum(CASE WHEN is_raised AND dispatched_at IS NOT NULL THEN 1 ELSE 0 END) AS dispatched_n,
    sum(CASE WHEN is_raised AND responded_at IS NOT NULL THEN 1 ELSE 0 END) AS responded_n,
    sum(CASE WHEN is_raised AND state = 'resolved' THEN 1 ELSE 0 END) AS resolved_n,
    sum(CASE WHEN is_raised AND followed_up_at IS NOT NULL THEN 1 ELSE 0 END) AS followed_up_n,
    sum(CASE WHEN is_raised AND satisfaction IS NOT NULL THEN 1 ELSE 0 END) AS rated_n,
    sum(CASE WHEN is_raised AND satisfaction IN ('satisfied', 'basically_satisfied') THEN 1 ELSE 0 END) AS satisfied_n,
    sum(CASE WHEN is_raised AND is_solved IS NOT NULL THEN 1 ELSE 0 END) AS confirmed_n,
    sum(CASE WHEN is_raised AND is_solved = 'yes' THEN 1 ELSE 0 END) AS solved_n,
    sum(CASE WHEN is_raised AND reopened_n > 0 THEN 1 ELSE 0 END) AS reopened_n,
    sum(CASE WHEN is_raised AND origin = 'proactive' THEN 1 ELSE 0 END) AS proactive_n,
    sum(CASE WHEN is_raised AND state = 'withdrawn' THEN 1 ELSE 0 END) AS withdrawn_n,
    sum(CASE WHEN is_overdue THEN 1 ELSE 0 END) AS overdue_n,
    median(CASE WHEN is_closed THEN (closed_s - submitted_s) / 3600 END) AS median_hours
FROM marked
GROUP BY grouped_by, coalesce(group_value, ''), period

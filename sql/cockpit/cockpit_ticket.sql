/*---
kind         = "table"
about        = "The request loop in figures for the last 30 days and the 30 before, whole and by category, office and college of the student (接诉即办). Of a college no figure of one to four is told, nor one from which it follows."
about_zh     = "近30天和此前30天的诉求办理数字，合计及按类别、办理部门和学生所在学院。学院数字中一至四的不显示，能推算出它的也不显示。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["grouped_by", "group_value", "period"]
purpose      = ["cockpit"]

[columns]
grouped_by    = { about = "all, category, office or college.", about_zh = "all 合计、category 类别、office 办理部门或 college 学院。", class = "internal" }
group_value   = { about = "The category, office or college; empty for all.", about_zh = "是哪个类别、部门或学院；合计为空。", class = "internal" }
period        = { about = "now for the last 30 days, before for the 30 days before.", about_zh = "now 为最近30天，before 为此前30天。", class = "internal" }
ticket_n      = { about = "Requests raised in the period.", about_zh = "期内提出的诉求数。", class = "internal" }
due_n         = { about = "Requests whose deadline fell into the period, without those withdrawn.", about_zh = "时限落在期内的诉求数，已撤回的不计。", class = "internal" }
on_time_n     = { about = "Of these, resolved by the deadline (按期办结).", about_zh = "其中在时限内办结的。", class = "internal" }
dispatched_n  = { about = "Requests of the period that were dispatched.", about_zh = "期内提出且已派单的。", class = "internal" }
responded_n   = { about = "Requests of the period that got a response.", about_zh = "期内提出且已响应的。", class = "internal" }
resolved_n    = { about = "Requests of the period that are resolved.", about_zh = "期内提出且已办结的。", class = "internal" }
followed_up_n = { about = "Requests of the period that were followed up.", about_zh = "期内提出且已回访的。", class = "internal" }
rated_n       = { about = "Requests of the period with a rating (有评价).", about_zh = "期内提出且有评价的。", class = "internal" }
satisfied_n   = { about = "Of these, satisfied or basically satisfied.", about_zh = "其中满意或基本满意的。", class = "internal" }
confirmed_n   = { about = "Requests of the period whose student, asked back, said whether it is solved (回访成功).", about_zh = "期内提出、回访时本人说了是否解决的。", class = "internal" }
solved_n      = { about = "Of these, solved by the student's own word (本人确认解决).", about_zh = "其中本人确认解决的。", class = "internal" }
reopened_n    = { about = "Requests of the period that were opened again.", about_zh = "期内提出且曾重新办理的。", class = "internal" }
proactive_n   = { about = "Requests of the period that staff found themselves (未诉先办).", about_zh = "期内由教职工自己发现的（未诉先办）。", class = "internal" }
withdrawn_n   = { about = "Requests of the period that were withdrawn.", about_zh = "期内提出后撤回的。", class = "internal" }
overdue_n     = { about = "Open past the deadline as of the date; the same for both periods.", about_zh = "到基准日已过时限仍未办结的；两期相同。", class = "internal" }
median_hours  = { unit = "hours", about = "Median hours from raising to resolution, of the requests resolved in the period.", about_zh = "期内办结的诉求，从提出到办结的小时数中位数。", class = "internal" }
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
    -- A college without a request is there with zeros: a single small one among nobody would follow from the whole.
    SELECT 'college' AS grouped_by, dim_student.college AS group_value, fct_ticket.*
    FROM dim_student
    LEFT JOIN fct_ticket ON fct_ticket.student_key = dim_student.student_key
    WHERE dim_student.as_of_on = $as_of AND dim_student.college IS NOT NULL
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
),

counted AS (
    SELECT
        grouped_by,
        coalesce(group_value, '') AS group_value,
        period,
        sum(CASE WHEN is_raised THEN 1 ELSE 0 END) AS ticket_n,
        sum(CASE WHEN is_due THEN 1 ELSE 0 END) AS due_n,
        sum(CASE WHEN is_due AND is_on_time THEN 1 ELSE 0 END) AS on_time_n,
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
        sum(CASE WHEN is_closed THEN 1 ELSE 0 END) AS closed_n,
        count(DISTINCT CASE WHEN is_raised OR is_due OR is_closed OR is_overdue THEN student_key END) AS people_n,
        median(CASE WHEN is_closed THEN (closed_s - submitted_s) / 3600 END) AS median_hours
    FROM marked
    GROUP BY grouped_by, coalesce(group_value, ''), period
),

-- What two figures differ by is a figure too: it stands or falls with both. One figure a row, so that what is told of colleges beside the whole is decided in one place for all of them.
cell AS (
    SELECT
        counted.*,
        figure.figure,
        figure.kin,
        counted.grouped_by = 'college' AS is_part,
        CASE figure.figure
            WHEN 'ticket' THEN ticket_n
            WHEN 'due' THEN due_n
            WHEN 'on_time' THEN on_time_n
            WHEN 'late' THEN due_n - on_time_n
            WHEN 'dispatched' THEN dispatched_n
            WHEN 'responded' THEN responded_n
            WHEN 'resolved' THEN resolved_n
            WHEN 'followed_up' THEN followed_up_n
            WHEN 'rated' THEN rated_n
            WHEN 'satisfied' THEN satisfied_n
            WHEN 'unsatisfied' THEN rated_n - satisfied_n
            WHEN 'confirmed' THEN confirmed_n
            WHEN 'solved' THEN solved_n
            WHEN 'unsolved' THEN confirmed_n - solved_n
            WHEN 'reopened' THEN reopened_n
            WHEN 'proactive' THEN proactive_n
            WHEN 'withdrawn' THEN withdrawn_n
            WHEN 'overdue' THEN overdue_n
            ELSE closed_n
        END AS n
    FROM counted
    CROSS JOIN (VALUES ('ticket', 'ticket'), ('due', 'due'), ('on_time', 'due'), ('late', 'due'), ('dispatched', 'dispatched'), ('responded', 'responded'), ('resolved', 'resolved'), ('followed_up', 'followed_up'), ('rated', 'rated'), ('satisfied', 'rated'), ('unsatisfied', 'rated'), ('confirmed', 'confirmed'), ('solved', 'confirmed'), ('unsolved', 'confirmed'), ('reopened', 'reopened'), ('proactive', 'proactive'), ('withdrawn', 'withdrawn'), ('overdue', 'overdue'), ('closed', 'closed')) AS figure (figure, kin)
),

-- Many requests of few students are as few.
marked_cell AS (
    SELECT
        *,
        max(CASE WHEN is_part AND n > 0 AND (n < ${k_default} OR people_n < ${k_default}) THEN 1 ELSE 0 END)
            OVER (PARTITION BY grouped_by, group_value, period, kin) = 1 AS is_small
    FROM cell
),

ranked AS (
    SELECT
        *,
        sum(CASE WHEN is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN is_small THEN n ELSE 0 END) OVER own AS small_sum,
        row_number() OVER (PARTITION BY period, figure
            ORDER BY CASE WHEN is_part AND NOT is_small THEN 0 ELSE 1 END, CASE WHEN n = 0 THEN 1 ELSE 0 END, n, grouped_by, group_value) AS place
    FROM marked_cell
    WINDOW own AS (PARTITION BY period, figure)
),

-- The whole, categories and offices are exact. One hidden college among told ones would follow from the whole, and so would several
-- of one each: then the smallest of the others is hidden as well.
judged AS (
    SELECT
        *,
        NOT is_part OR (NOT is_small AND NOT (place = 1 AND (small_n = 1 OR (small_n > 1 AND small_sum <= small_n)))) AS is_alone_told
    FROM ranked
),

told AS (
    SELECT *, min(CASE WHEN is_alone_told THEN 1 ELSE 0 END) OVER (PARTITION BY grouped_by, group_value, period, kin) = 1 AS is_told
    FROM judged
)

-- The counts stand on every figure's row: to join them again would count the requests once more.
SELECT
    grouped_by,
    group_value,
    period,
    max(CASE WHEN figure = 'ticket' AND is_told THEN n END) AS ticket_n,
    max(CASE WHEN figure = 'due' AND is_told THEN n END) AS due_n,
    max(CASE WHEN figure = 'on_time' AND is_told THEN n END) AS on_time_n,
    max(CASE WHEN figure = 'dispatched' AND is_told THEN n END) AS dispatched_n,
    max(CASE WHEN figure = 'responded' AND is_told THEN n END) AS responded_n,
    max(CASE WHEN figure = 'resolved' AND is_told THEN n END) AS resolved_n,
    max(CASE WHEN figure = 'followed_up' AND is_told THEN n END) AS followed_up_n,
    max(CASE WHEN figure = 'rated' AND is_told THEN n END) AS rated_n,
    max(CASE WHEN figure = 'satisfied' AND is_told THEN n END) AS satisfied_n,
    max(CASE WHEN figure = 'confirmed' AND is_told THEN n END) AS confirmed_n,
    max(CASE WHEN figure = 'solved' AND is_told THEN n END) AS solved_n,
    max(CASE WHEN figure = 'reopened' AND is_told THEN n END) AS reopened_n,
    max(CASE WHEN figure = 'proactive' AND is_told THEN n END) AS proactive_n,
    max(CASE WHEN figure = 'withdrawn' AND is_told THEN n END) AS withdrawn_n,
    max(CASE WHEN figure = 'overdue' AND is_told THEN n END) AS overdue_n,
    max(CASE WHEN figure = 'closed' AND is_told THEN median_hours END) AS median_hours
FROM told
GROUP BY grouped_by, group_value, period

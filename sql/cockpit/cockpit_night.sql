/*---
kind         = "table"
about        = "Nights of four weeks, for the university and each college: due, back, absent, unknown (夜间归寝趋势). Small groups are suppressed."
about_zh     = "近四周每夜的应归、已归、未归、未知人数，全校和各学院。人数过少的不显示。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope", "night_on"]
purpose      = ["cockpit"]

[columns]
scope    = { about = "university, or the id of a college.", about_zh = "university 全校，或学院编号。", class = "internal" }
night_on = { about = "The night.", about_zh = "哪一晚。", class = "internal" }
due_n    = { about = "Boarders due back where gates were seen: without leave, and on holidays only those who are there; empty where one to four are back.", about_zh = "闸机有观测的楼栋中应返回的住宿生数：不含请假者，假期只计留校者；已返回的为一至四人时为空。", class = "internal" }
back_n   = { about = "Of these, back; empty where one to four are, and for a college of which one to four are not, or whose absent are not told.", about_zh = "其中已返回的；为一至四人时为空，学院未返回的为一至四人或未返回数不显示时也为空。", class = "internal" }
absent_n = { about = "Of these, neither entry nor evidence on campus; exact for the university only.", about_zh = "其中既无进楼记录、也无在校记录的；只有全校给出确数。", class = "internal" }
unseen_n = { about = "Boarders of buildings whose gates were not seen, counted apart.", about_zh = "闸机没有观测的楼栋的住宿生数，另行统计。", class = "internal" }
leave_n  = { about = "Boarders on leave.", about_zh = "请假的住宿生数。", class = "internal" }
listed_n = { about = "Absent, or missed by the list and found in the room later; empty where the absent are not told, and where one to four are listed or were found.", about_zh = "未返回的，以及名单列出、后来在房间找到的；未返回数不显示时为空，列出或找到的为一至四人时也为空。", class = "internal" }
verified_n = { about = "Of these, somebody looked and said what was found by the date (已核实); empty where that is one to four, or all but one to four.", about_zh = "其中到该日为止已有人去看并说明结果的（已核实）；为一至四人、或除一至四人外全部核实时为空。", class = "internal" }
status   = { about = "ok, suppressed or insufficient.", about_zh = "ok 正常、suppressed 人数过少不显示，或 insufficient 数据不足。", class = "internal" }
---*/

WITH night AS (
    SELECT int_night.*, dim_student.college, int_absence_check.result IS NOT NULL AS is_checked
    FROM int_night
    INNER JOIN dim_student ON dim_student.student_key = int_night.student_key AND dim_student.as_of_on = $as_of
    LEFT JOIN int_absence_check
        ON int_absence_check.student_key = int_night.student_key AND int_absence_check.occurred_on = int_night.occurred_on
),

scoped AS (
    SELECT 'university' AS scope, * FROM night
    UNION ALL
    SELECT college AS scope, * FROM night
),

counted AS (
    SELECT
        scope,
        occurred_on AS night_on,
        sum(CASE WHEN NOT is_on_leave AND is_gate_seen AND (is_back OR NOT is_free) THEN 1 ELSE 0 END) AS due_n,
        sum(CASE WHEN NOT is_on_leave AND is_gate_seen AND is_back THEN 1 ELSE 0 END) AS back_n,
        sum(CASE WHEN is_absent THEN 1 ELSE 0 END) AS absent_n,
        sum(CASE WHEN NOT is_on_leave AND NOT is_gate_seen THEN 1 ELSE 0 END) AS unseen_n,
        sum(CASE WHEN is_on_leave THEN 1 ELSE 0 END) AS leave_n,
        sum(CASE WHEN is_absent OR is_checked THEN 1 ELSE 0 END) AS listed_n,
        sum(CASE WHEN is_checked THEN 1 ELSE 0 END) AS verified_n
    FROM scoped
    GROUP BY scope, occurred_on
),

-- One figure a row, so that what is told of colleges beside the university is decided in one place for all of them.
cell AS (
    SELECT
        counted.*,
        figure.figure,
        CASE figure.figure
            WHEN 'due' THEN due_n WHEN 'absent' THEN absent_n WHEN 'unseen' THEN unseen_n WHEN 'leave' THEN leave_n
            -- Who was due and is not back: near enough to the absent that it is hidden where they would be.
            WHEN 'missed' THEN due_n - back_n
            WHEN 'verified' THEN verified_n
            ELSE listed_n
        END AS n,
        -- What the figure tells beside another one: who is back beside who is due and who is not, who was found beside the list and
        -- the absent, who was not looked after beside the list and those who were.
        CASE figure.figure
            WHEN 'due' THEN back_n WHEN 'listed' THEN listed_n - absent_n WHEN 'verified' THEN listed_n - verified_n
            ELSE 0
        END AS beside_n
    FROM counted
    CROSS JOIN (VALUES ('due'), ('absent'), ('missed'), ('unseen'), ('leave'), ('listed'), ('verified')) AS figure (figure)
),

measured AS (
    SELECT *, n BETWEEN 1 AND ${k_default} - 1 OR beside_n BETWEEN 1 AND ${k_default} - 1 AS is_small
    FROM cell
),

marked AS (
    SELECT
        *,
        scope <> 'university' AS is_part,
        -- Of the university these are exact, however few.
        figure IN ('absent', 'missed') AS is_whole_told,
        -- That nobody is due is not told anyway.
        scope <> 'university' AND NOT is_small AND (n > 0 OR figure <> 'due') AS is_other
    FROM measured
),

ranked AS (
    SELECT
        *,
        sum(CASE WHEN is_part AND is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN is_part AND is_small THEN n ELSE 0 END) OVER own AS small_sum,
        sum(CASE WHEN is_part AND is_small THEN beside_n ELSE 0 END) OVER own AS beside_sum,
        sum(CASE WHEN is_other THEN 1 ELSE 0 END) OVER own AS other_n,
        sum(CASE WHEN is_part THEN 0 ELSE n END) OVER own AS whole_n,
        row_number() OVER (PARTITION BY night_on, figure
            ORDER BY CASE WHEN is_other THEN 0 ELSE 1 END, CASE WHEN n = 0 THEN 1 ELSE 0 END, n, scope) AS place
    FROM marked
    WINDOW own AS (PARTITION BY night_on, figure)
),

-- One hidden college among told ones follows from the university, and so do several of one each: then the smallest of the others is
-- hidden as well, or the university where there is no other. Of a university that is hidden itself nothing follows.
judged AS (
    SELECT
        *,
        coalesce(scope IS NOT NULL
            AND ((is_whole_told AND NOT is_part)
                OR (NOT is_small
                    AND NOT ((is_whole_told OR whole_n >= ${k_default}) AND (small_n = 1 OR (small_n > 1 AND small_n IN (small_sum, beside_sum)))
                        AND CASE WHEN is_part THEN is_other AND place = 1 ELSE other_n = 0 END))), FALSE) AS is_told
    FROM ranked
),

-- The counts stand on every figure's row: to join them again would count the nights once more.
told AS (
    SELECT
        scope,
        night_on,
        max(due_n) AS all_due_n,
        max(CASE WHEN figure = 'due' AND is_told AND due_n > 0 THEN due_n END) AS due_n,
        max(CASE WHEN figure = 'missed' AND is_told THEN back_n END) AS back_n,
        max(CASE WHEN figure = 'absent' AND is_told THEN absent_n END) AS absent_n,
        max(CASE WHEN figure = 'unseen' AND is_told THEN unseen_n END) AS unseen_n,
        max(CASE WHEN figure = 'leave' AND is_told THEN leave_n END) AS leave_n,
        max(CASE WHEN figure = 'listed' AND is_told THEN listed_n END) AS listed_n,
        max(CASE WHEN figure = 'verified' AND is_told THEN verified_n END) AS verified_n
    FROM judged
    GROUP BY scope, night_on
)

SELECT
    scope,
    night_on,
    due_n,
    CASE WHEN due_n IS NOT NULL AND absent_n IS NOT NULL THEN back_n END AS back_n,
    absent_n,
    unseen_n,
    leave_n,
    -- Nobody is absent where nobody is listed: the list is told only where the absent are.
    CASE WHEN absent_n IS NOT NULL THEN listed_n END AS listed_n,
    CASE WHEN absent_n IS NOT NULL AND listed_n IS NOT NULL THEN verified_n END AS verified_n,
    CASE
        WHEN all_due_n = 0 THEN 'insufficient' WHEN due_n IS NOT NULL AND absent_n IS NOT NULL AND back_n IS NOT NULL THEN 'ok' ELSE 'suppressed'
    END AS status
FROM told

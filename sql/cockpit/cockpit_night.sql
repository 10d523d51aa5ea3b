/*---
kind         = "table"
about        = "Nights of four weeks, for the university and each college: due, back, absent, unknown (夜间归寝趋势). Small groups are suppressed."
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope", "night_on"]
purpose      = ["cockpit"]

[columns]
scope    = { about = "university, or the id of a college.", class = "internal" }
night_on = { about = "The night.", class = "internal" }
due_n    = { about = "Boarders due back where gates were seen: without leave, and on holidays only those who are there.", class = "internal" }
back_n   = { about = "Of these, back.", class = "internal" }
absent_n = { about = "Of these, neither entry nor evidence on campus; exact for the university only.", class = "internal" }
unseen_n = { about = "Boarders of buildings whose gates were not seen, counted apart.", class = "internal" }
leave_n  = { about = "Boarders on leave.", class = "internal" }
listed_n = { about = "Absent, or missed by the list and found in the room later; suppressed as the absent.", class = "internal" }
verified_n = { about = "Of these, somebody looked and said what was found by the date (已核实).", class = "internal" }
status   = { about = "ok, suppressed or insufficient.", class = "internal" }
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
)

SELECT
    scope,
    night_on,
    CASE WHEN due_n >= ${k_default} THEN due_n END AS due_n,
    CASE WHEN due_n >= ${k_default} THEN back_n END AS back_n,
    CASE WHEN scope = 'university' OR absent_n = 0 OR absent_n >= ${k_default} THEN absent_n END AS absent_n,
    CASE WHEN unseen_n = 0 OR unseen_n >= ${k_default} THEN unseen_n END AS unseen_n,
    CASE WHEN leave_n = 0 OR leave_n >= ${k_default} THEN leave_n END AS leave_n,
    CASE WHEN scope = 'university' OR listed_n = 0 OR listed_n >= ${k_default} THEN listed_n END AS listed_n,
    CASE WHEN scope = 'university' OR listed_n = 0 OR listed_n >= ${k_default} THEN verified_n END AS verified_n,
    CASE WHEN due_n >= ${k_default} THEN 'ok' WHEN due_n = 0 THEN 'insufficient' ELSE 'suppressed' END AS status
FROM counted

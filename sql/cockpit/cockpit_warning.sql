/*---
kind         = "table"
about        = "Care offers of a date for the university and each college: offered, and what nobody has hours for (关怀提示与承载缺口). Counts of care are small-group data: below ten they are not told."
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit"]

[columns]
scope       = { about = "university, or the id of a college.", class = "internal" }
student_n   = { about = "Students.", class = "internal" }
offered_n   = { about = "Students with an offer that stands.", class = "internal" }
new_n       = { about = "Of these, offered on this date for the first time.", class = "internal" }
shortfall_n = { about = "Students of whom rules or trends found something, and nobody has hours for them: the capacity shortfall; empty below ten.", class = "internal" }
shortfall_status = { about = "none, few for one to nine, or told: that a college is short of hours is said, how many students that is about only from ten on.", class = "internal" }
---*/

WITH found AS (
    SELECT student_key
    FROM warning_candidate
    WHERE as_of_on = $as_of AND severity IS NOT NULL
    GROUP BY student_key
),

offered AS (
    SELECT student_key, min(issued_on) AS issued_on
    FROM warning_student
    WHERE as_of_on = $as_of AND severity IS NOT NULL
    GROUP BY student_key
),

person AS (
    SELECT
        dim_student.college,
        CASE WHEN offered.student_key IS NOT NULL THEN 1 ELSE 0 END AS offered,
        CASE WHEN offered.issued_on = $as_of THEN 1 ELSE 0 END AS new,
        CASE WHEN found.student_key IS NOT NULL AND offered.student_key IS NULL THEN 1 ELSE 0 END AS cut
    FROM dim_student
    LEFT JOIN found ON found.student_key = dim_student.student_key
    LEFT JOIN offered ON offered.student_key = dim_student.student_key
    WHERE dim_student.as_of_on = $as_of
),

scoped AS (
    SELECT 'university' AS scope, offered, new, cut
    FROM person

    UNION ALL

    SELECT college, offered, new, cut
    FROM person
    WHERE college IS NOT NULL
),

counted AS (
    SELECT
        scope,
        count(*) AS student_n,
        sum(offered) AS offered_n,
        sum(new) AS new_n,
        sum(cut) AS shortfall_n
    FROM scoped
    GROUP BY scope
)

SELECT
    scope,
    student_n,
    CASE WHEN offered_n >= ${k_sensitive} THEN offered_n END AS offered_n,
    CASE WHEN new_n >= ${k_sensitive} THEN new_n END AS new_n,
    CASE WHEN shortfall_n >= ${k_sensitive} THEN shortfall_n END AS shortfall_n,
    CASE WHEN shortfall_n = 0 THEN 'none' WHEN shortfall_n < ${k_sensitive} THEN 'few' ELSE 'told' END AS shortfall_status
FROM counted
WHERE student_n >= ${k_sensitive}

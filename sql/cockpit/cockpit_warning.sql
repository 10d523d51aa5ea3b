/*---
kind         = "table"
about        = "Care offers of a date for the university and each college: offered, and what nobody has hours for (关怀提示与承载缺口). Counts of care are small-group data: below ten they are not told."
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit"]

[settings]
k_sensitive = 10

[columns]
scope       = { about = "university, or the id of a college.", class = "internal" }
student_n   = { about = "Students.", class = "internal" }
offered_n   = { about = "Students with an offer that stands.", class = "internal" }
new_n       = { about = "Of these, offered on this date for the first time.", class = "internal" }
shortfall_n = { about = "Students of whom rules or trends found something, and nobody has hours for them: the capacity shortfall.", class = "internal" }
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
        offered.student_key IS NOT NULL AS is_offered,
        coalesce(offered.issued_on = $as_of, FALSE) AS is_new,
        found.student_key IS NOT NULL AND offered.student_key IS NULL AS is_cut
    FROM dim_student
    LEFT JOIN found ON found.student_key = dim_student.student_key
    LEFT JOIN offered ON offered.student_key = dim_student.student_key
    WHERE dim_student.as_of_on = $as_of
),

scoped AS (
    SELECT 'university' AS scope, is_offered, is_new, is_cut
    FROM person

    UNION ALL

    SELECT college, is_offered, is_new, is_cut
    FROM person
    WHERE college IS NOT NULL
),

counted AS (
    SELECT
        scope,
        count(*) AS student_n,
        sum(CASE WHEN is_offered THEN 1 ELSE 0 END) AS offered_n,
        sum(CASE WHEN is_new THEN 1 ELSE 0 END) AS new_n,
        sum(CASE WHEN is_cut THEN 1 ELSE 0 END) AS shortfall_n
    FROM scoped
    GROUP BY scope
)

SELECT
    scope,
    student_n,
    CASE WHEN offered_n >= ${k_sensitive} THEN offered_n END AS offered_n,
    CASE WHEN new_n >= ${k_sensitive} THEN new_n END AS new_n,
    CASE WHEN shortfall_n >= ${k_sensitive} THEN shortfall_n END AS shortfall_n
FROM counted
WHERE student_n >= ${k_sensitive}

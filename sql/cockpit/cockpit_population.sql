/*---
kind         = "table"
about        = "Students by where they are, for the university and each college; the parts exclude one another and add up to the register (今日学生结构)."
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope", "part"]
purpose      = ["cockpit"]

[columns]
scope     = { about = "university, or the id of a college.", class = "internal" }
scope_name = { about = "Its name.", class = "internal" }
part      = { about = "suspended (on leave of school or keeping a place), internship, leave, boarder, day_student or off_campus, in this order of precedence; for a college boarder or elsewhere.", class = "internal" }
student_n = { about = "Students; empty if fewer than five.", class = "internal" }
unowned_n = { about = "Of these, enrolled without a responsible counselor (无责任人学生).", class = "internal" }
---*/

WITH person AS (
    SELECT
        college,
        college_name,
        CASE WHEN NOT is_enrolled THEN 'suspended'
            WHEN leave_kind = 'internship' THEN 'internship'
            WHEN leave_kind IS NOT NULL THEN 'leave'
            ELSE boarder END AS part,
        counselor_key IS NULL AND is_enrolled AS is_unowned
    FROM dim_student
    WHERE as_of_on = $as_of
),

scoped AS (
    SELECT 'university' AS scope, '全校' AS scope_name, part, is_unowned FROM person
    UNION ALL
    -- A college is told in two parts: with more of them a small one could be worked out from the others.
    SELECT college AS scope, college_name AS scope_name, CASE WHEN part = 'boarder' THEN part ELSE 'elsewhere' END AS part, is_unowned FROM person
),

counted AS (
    SELECT scope, max(scope_name) AS scope_name, part, count(*) AS student_n, sum(CASE WHEN is_unowned THEN 1 ELSE 0 END) AS unowned_n
    FROM scoped
    GROUP BY scope, part
),

-- A college with a small part tells neither part: the other one and the college's size would give it away. One such college follows
-- from the university: then the smallest of the others tells nothing either.
college AS (
    SELECT
        scope,
        CASE WHEN min(student_n) < ${k_default} THEN 1 ELSE 0 END AS is_small,
        sum(student_n) AS student_n
    FROM counted
    WHERE scope <> 'university'
    GROUP BY scope
),

ranked AS (
    SELECT
        scope,
        is_small,
        sum(is_small) OVER () AS small_n,
        row_number() OVER (ORDER BY is_small, student_n, scope) AS place
    FROM college
)

SELECT
    counted.scope,
    counted.scope_name,
    counted.part,
    CASE WHEN counted.student_n >= ${k_default} AND coalesce(ranked.is_small = 0 AND (ranked.small_n <> 1 OR ranked.place <> 1), TRUE)
        THEN counted.student_n END AS student_n,
    counted.unowned_n
FROM counted
LEFT JOIN ranked ON ranked.scope = counted.scope

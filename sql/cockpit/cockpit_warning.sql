/*---
kind         = "table"
about        = "Care offers of a date for the university and each college: offered, and what nobody has hours for (关怀提示与承载缺口). Counts of care are small-group data: below ten they are not told."
about_zh     = "某日全校和各学院的关怀提示：已发出的，以及没有工时承接的。关怀人数属于小群体数据：不足十不显示。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit"]

[columns]
scope       = { about = "university, or the id of a college.", about_zh = "university（全校）或学院编号。", class = "internal" }
student_n   = { about = "Students.", about_zh = "学生数。", class = "internal" }
offered_n   = { about = "Students with an offer that stands.", about_zh = "有有效提示的学生数。", class = "internal" }
new_n       = { about = "Of these, offered on this date for the first time.", about_zh = "其中当天首次提示的。", class = "internal" }
shortfall_n = { about = "Students of whom rules or trends found something, and nobody has hours for them: the capacity shortfall; empty below ten.", about_zh = "规则或趋势有发现、但没有工时承接的学生数（承载缺口）；不足十人时为空。", class = "internal" }
shortfall_status = { about = "none, few for one to nine, or told: that a college is short of hours is said, how many students that is about only from ten on.", about_zh = "none 没有、few 一至九人，或 told 已显示：学院缺少工时会告知，涉及多少学生在十人以上才显示。", class = "internal" }
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
),

-- One figure a row, so that what is told of colleges beside the university is decided in one place for all of them.
cell AS (
    SELECT scope, 'offered' AS figure, offered_n AS n, offered_n < ${k_sensitive} AS is_small FROM counted
    UNION ALL
    SELECT scope, 'new' AS figure, new_n AS n, new_n < ${k_sensitive} AS is_small FROM counted
    UNION ALL
    -- Where nobody is short of hours is said, so that none is no secret here.
    SELECT scope, 'shortfall' AS figure, shortfall_n AS n, shortfall_n BETWEEN 1 AND ${k_sensitive} - 1 AS is_small FROM counted
),

ranked AS (
    SELECT
        *,
        scope <> 'university' AS is_part,
        sum(CASE WHEN scope <> 'university' AND is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN scope <> 'university' AND is_small THEN n ELSE 0 END) OVER own AS small_sum,
        sum(CASE WHEN scope <> 'university' AND n >= ${k_sensitive} THEN 1 ELSE 0 END) OVER own AS large_n,
        row_number() OVER (PARTITION BY figure ORDER BY CASE WHEN scope <> 'university' AND n >= ${k_sensitive} THEN 0 ELSE 1 END, n, scope) AS place
    FROM cell
    WINDOW own AS (PARTITION BY figure)
),

-- One hidden college among told ones follows from the university: then the smallest of the others is hidden as well, or the
-- university where there is no other. Below ten nothing is told, none neither, so that several hidden ones keep their secret
-- unless all of them are none.
told AS (
    SELECT
        scope,
        max(CASE WHEN figure = 'offered' THEN n END) AS offered_n,
        max(CASE WHEN figure = 'new' THEN n END) AS new_n,
        max(CASE WHEN figure = 'shortfall' THEN n END) AS shortfall_n
    FROM ranked
    WHERE n >= ${k_sensitive} AND NOT (small_n = 1 AND small_sum > 0 AND CASE WHEN is_part THEN place = 1 ELSE large_n = 0 END)
    GROUP BY scope
)

SELECT
    counted.scope,
    counted.student_n,
    told.offered_n,
    told.new_n,
    told.shortfall_n,
    CASE WHEN counted.shortfall_n = 0 THEN 'none' WHEN counted.shortfall_n < ${k_sensitive} THEN 'few' ELSE 'told' END AS shortfall_status
FROM counted
LEFT JOIN told ON told.scope = counted.scope
WHERE counted.student_n >= ${k_sensitive}

/*---
kind         = "table"
about        = "Care offers of a date for the university and each college: offered, and what nobody has hours for (关怀提示与承载缺口). Counts of care are small-group data: below ten they are not told, and no told figure gives a hidden one away."
about_zh     = "某日全校和各学院的关怀提示：已发出的，以及没有工时承接的。关怀人数属于小群体数据：不足十不显示，也不能由已显示的数字推算出来。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit"]

[columns]
scope       = { about = "university, or the id of a college.", about_zh = "university（全校）或学院编号。", class = "internal" }
student_n   = { about = "Students.", about_zh = "学生数。", class = "internal" }
offered_n   = { about = "Students with an offer that stands; empty if these, or the others, are fewer than ten, and where that would follow from the university.", about_zh = "有有效提示的学生数；有提示的或其余学生不足十人，以及能由全校数字推算出时为空。", class = "internal" }
new_n       = { about = "Of these, offered on this date for the first time; empty below ten, where one to nine have an older offer, where the others would follow, and where those offered are not told.", about_zh = "其中当天首次提示的；不足十人、其余为一至九人、能由此推算出，或提示人数不显示时为空。", class = "internal" }
shortfall_n = { about = "Students of whom rules or trends found something, and nobody has hours for them: the capacity shortfall; empty below ten, for all but nine and fewer, and where that would follow from the university.", about_zh = "规则或趋势有发现、但没有工时承接的学生数（承载缺口）；不足十人、其余学生不足十人，以及能由全校数字推算出时为空。", class = "internal" }
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
    SELECT
        counted.scope,
        counted.scope <> 'university' AS is_part,
        figure.figure,
        CASE figure.figure WHEN 'offered' THEN offered_n WHEN 'new' THEN new_n ELSE shortfall_n END AS n,
        -- What the figure tells beside another one: who has no offer, whose offer is older, for whom there are hours.
        CASE figure.figure WHEN 'offered' THEN student_n - offered_n WHEN 'new' THEN offered_n - new_n ELSE student_n - shortfall_n END AS beside_n
    FROM counted
    CROSS JOIN (VALUES ('offered'), ('new'), ('shortfall')) AS figure (figure)
),

measured AS (
    SELECT
        *,
        -- Where nobody is short of hours is said, so that none is no secret there.
        CASE WHEN figure = 'shortfall' THEN n BETWEEN 1 AND ${k_sensitive} - 1 ELSE n < ${k_sensitive} END AS is_few,
        -- That nobody's offer is older tells of nobody; that everybody has one tells of all.
        CASE WHEN figure = 'new' THEN beside_n BETWEEN 1 AND ${k_sensitive} - 1 ELSE beside_n < ${k_sensitive} END AS is_beside_few
    FROM cell
),

-- What may be hidden beside a small one: one of exactly ten would be found out, where the small one is said to be one at least.
marked AS (
    SELECT
        *,
        is_few OR is_beside_few AS is_small,
        is_part AND NOT is_few AND NOT is_beside_few AND n > ${k_sensitive} AS is_other
    FROM measured
),

ranked AS (
    SELECT
        *,
        sum(CASE WHEN is_part AND is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN is_part AND is_small THEN n ELSE 0 END) OVER own AS small_sum,
        sum(CASE WHEN NOT is_part OR NOT is_small THEN 0 WHEN is_few THEN 1 ELSE ${k_sensitive} END) OVER own AS least_sum,
        sum(CASE WHEN NOT is_part OR NOT is_small THEN 0 WHEN is_few THEN ${k_sensitive} - 1 ELSE n + beside_n END) OVER own AS most_sum,
        sum(CASE WHEN is_part AND is_beside_few THEN 1 ELSE 0 END) OVER own AS beside_small_n,
        sum(CASE WHEN is_part AND is_beside_few THEN beside_n ELSE 0 END) OVER own AS beside_sum,
        sum(CASE WHEN is_other THEN 1 ELSE 0 END) OVER own AS other_n,
        row_number() OVER (PARTITION BY figure
            ORDER BY CASE WHEN is_other THEN 0 ELSE 1 END, CASE WHEN beside_n < ${k_sensitive} THEN 1 ELSE 0 END, n, scope) AS place
    FROM marked
    WINDOW own AS (PARTITION BY figure)
),

-- One hidden college among told ones follows from the university; several do whose sum is the least or the most that so many small
-- ones can have, and a sum below ten is a small figure itself. Then the smallest of the others is hidden as well, or the
-- university where there is no other.
judged AS (
    SELECT
        *,
        small_sum > 0
            AND (small_n = 1 OR small_sum < ${k_sensitive} OR small_sum IN (least_sum, most_sum)
                OR (beside_small_n = small_n AND (beside_sum < ${k_sensitive} OR beside_sum = (${k_sensitive} - 1) * small_n))) AS is_open
    FROM ranked
),

told AS (
    SELECT
        scope,
        max(CASE WHEN figure = 'offered' THEN n END) AS offered_n,
        max(CASE WHEN figure = 'new' THEN n END) AS new_n,
        max(CASE WHEN figure = 'shortfall' THEN n END) AS shortfall_n
    FROM judged
    WHERE n >= ${k_sensitive} AND NOT is_small AND NOT (is_open AND CASE WHEN is_part THEN is_other AND place = 1 ELSE other_n = 0 END)
    GROUP BY scope
)

SELECT
    counted.scope,
    counted.student_n,
    told.offered_n,
    -- A hidden figure is no less than what is told to be a part of it.
    CASE WHEN told.offered_n IS NOT NULL THEN told.new_n END AS new_n,
    told.shortfall_n,
    CASE WHEN counted.shortfall_n = 0 THEN 'none' WHEN counted.shortfall_n < ${k_sensitive} THEN 'few' ELSE 'told' END AS shortfall_status
FROM counted
LEFT JOIN told ON told.scope = counted.scope
WHERE counted.student_n >= ${k_sensitive}

/*---
kind         = "table"
about        = "Students by where they are, for the university and each college; the parts exclude one another and add up to the register (今日学生结构)."
about_zh     = "全校和各学院学生目前在何处；各部分互不重叠，合计等于学籍人数。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope", "part"]
purpose      = ["cockpit"]

[columns]
scope     = { about = "university, or the id of a college.", about_zh = "university（全校）或学院编号。", class = "internal" }
scope_name = { about = "Its name.", about_zh = "其名称。", class = "internal" }
part      = { about = "suspended (on leave of school or keeping a place), internship, leave, boarder, day_student or off_campus, in this order of precedence; for a college boarder or elsewhere.", about_zh = "suspended（休学或保留学籍）、internship 实习、leave 请假、boarder 住校、day_student 走读或 off_campus 校外，按此先后归入；学院只分住校和其他。", class = "internal" }
student_n = { about = "Students; empty if fewer than five, or if fewer than five followed from it.", about_zh = "学生数；不足五人，或能由此推算出不足五人时为空。", class = "internal" }
unowned_n = { about = "Of these, enrolled without a responsible counselor (无责任人学生); empty for one to four, if one to four followed from it, or where the students are not told.", about_zh = "其中没有责任辅导员的在籍学生；一至四人、能由此推算出，或学生数不显示时为空。", class = "internal" }
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
-- from the university, and so do several of one each: then the smallest of the others tells nothing either. That one has both parts,
-- for a part that is not there hides none; where no other has both, no college tells anything.
college AS (
    SELECT
        scope,
        CASE WHEN min(student_n) < ${k_default} THEN 1 ELSE 0 END AS is_small,
        min(student_n) AS least_n,
        count(*) AS part_n,
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
        sum(CASE WHEN is_small = 1 THEN least_n ELSE 0 END) OVER () AS small_sum,
        sum(CASE WHEN is_small = 0 AND part_n > 1 THEN 1 ELSE 0 END) OVER () AS other_n,
        row_number() OVER (ORDER BY is_small, CASE WHEN part_n > 1 THEN 0 ELSE 1 END, student_n, scope) AS place
    FROM college
),

college_told AS (
    SELECT
        scope,
        is_small = 0 AND NOT ((small_n = 1 OR (small_n > 1 AND small_sum = small_n)) AND (place = 1 OR other_n = 0)) AS is_told
    FROM ranked
),

-- One hidden part of the university would follow from its size, and one beside the boarders from the colleges: then the smallest
-- of the others is hidden as well, the boarders last.
part AS (
    SELECT
        part,
        CASE WHEN student_n < ${k_default} THEN 1 ELSE 0 END AS is_small,
        sum(CASE WHEN student_n < ${k_default} THEN 1 ELSE 0 END) OVER () AS small_n,
        sum(CASE WHEN student_n < ${k_default} THEN student_n ELSE 0 END) OVER () AS small_sum,
        row_number() OVER (
            ORDER BY CASE WHEN student_n < ${k_default} THEN 1 ELSE 0 END, CASE WHEN part = 'boarder' THEN 1 ELSE 0 END, student_n, part) AS place
    FROM counted
    WHERE scope = 'university'
),

-- Who has no counselor, of colleges beside the university: the same, apart for boarders and the others. Of the university's parts
-- beside the boarders one that is small hides them all: their sum may follow from the colleges.
unowned AS (
    SELECT
        scope,
        part,
        unowned_n,
        scope <> 'university' AS is_part,
        CASE WHEN part = 'boarder' THEN part ELSE 'elsewhere' END AS side,
        unowned_n BETWEEN 1 AND ${k_default} - 1 AS is_small
    FROM counted
),

unowned_ranked AS (
    SELECT
        *,
        sum(CASE WHEN is_part AND is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN is_part AND is_small THEN unowned_n ELSE 0 END) OVER own AS small_sum,
        sum(CASE WHEN is_part AND NOT is_small THEN 1 ELSE 0 END) OVER own AS other_n,
        sum(CASE WHEN NOT is_part AND is_small THEN 1 ELSE 0 END) OVER own AS small_whole_n,
        row_number() OVER (PARTITION BY side
            ORDER BY CASE WHEN is_part AND NOT is_small THEN 0 ELSE 1 END, CASE WHEN unowned_n = 0 THEN 1 ELSE 0 END, unowned_n, scope, part) AS place
    FROM unowned
    WINDOW own AS (PARTITION BY side)
)

SELECT
    counted.scope,
    counted.scope_name,
    counted.part,
    CASE WHEN counted.student_n >= ${k_default}
        AND coalesce(college_told.is_told, TRUE)
        AND coalesce(NOT (part.place = 1 AND (part.small_n = 1 OR (part.small_n > 1 AND part.small_sum = part.small_n))), TRUE)
        THEN counted.student_n END AS student_n,
    CASE WHEN counted.student_n >= ${k_default}
        AND coalesce(college_told.is_told, TRUE)
        AND CASE WHEN unowned_ranked.is_part THEN NOT unowned_ranked.is_small ELSE unowned_ranked.small_whole_n = 0 END
        AND NOT ((unowned_ranked.small_n = 1 OR (unowned_ranked.small_n > 1 AND unowned_ranked.small_sum = unowned_ranked.small_n))
            AND CASE WHEN unowned_ranked.is_part THEN unowned_ranked.place = 1 ELSE unowned_ranked.other_n = 0 END)
        THEN counted.unowned_n END AS unowned_n
FROM counted
LEFT JOIN college_told ON college_told.scope = counted.scope
LEFT JOIN part ON part.part = counted.part AND counted.scope = 'university'
LEFT JOIN unowned_ranked ON unowned_ranked.scope = counted.scope AND unowned_ranked.part = counted.part

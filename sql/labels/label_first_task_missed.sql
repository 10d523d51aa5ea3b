/*---
kind     = "label"
about    = "No midterm mark in a section in which half of the class has one: the day on which the section's first marks came out (首次任务未交)."
about_zh = "在全班已有一半出了期中成绩的教学班里本人没有期中成绩；以该班第一批成绩公布之日计。"
title_zh = "首次任务（期中考核）缺失"
title_en = "a first task (midterm) that is missing"
owner    = "academic_affairs_office"
grain    = ["student_key", "term"]
subject  = "student_key"
purpose  = ["evaluation", "trend_warning"]
horizon  = "42d"
gap      = "2d"
recurs   = true

[columns]
outcome  = { about = "Always true: who has all marks has no row.", about_zh = "总为真：成绩齐全的没有行。", class = "trace" }
event_on = { about = "Day on which the first marks of the section came out.", about_zh = "该教学班第一批成绩公布的日期。", class = "trace" }
known_on = { about = "First date that may use it.", about_zh = "最早可以使用它的日期。", class = "trace" }
---*/

WITH marked AS (
    SELECT
        section_id,
        student_key,
        min(campus_on(published_at)) AS published_on,
        min(campus_on(known_at)) AS seen_on
    FROM stg_grade_record
    WHERE superseded_at IS NULL AND exam_kind = 'midterm' AND section_id IS NOT NULL
    GROUP BY section_id, student_key
),

taken AS (
    SELECT stg_student.student_key, stg_course_section.section_id, stg_course_section.term
    FROM stg_course_section
    INNER JOIN stg_student ON stg_student.class = stg_course_section.class
        AND stg_student.superseded_at IS NULL AND stg_student.status IN ('enrolled', 'extended')
    WHERE stg_course_section.superseded_at IS NULL
),

section AS (
    SELECT
        taken.section_id,
        count(*) AS people,
        count(marked.student_key) AS marked_n,
        min(marked.published_on) AS published_on,
        min(marked.seen_on) AS seen_on
    FROM taken
    LEFT JOIN marked ON marked.section_id = taken.section_id AND marked.student_key = taken.student_key
    GROUP BY taken.section_id
)

SELECT
    taken.student_key,
    taken.term,
    TRUE AS outcome,
    min(section.published_on) AS event_on,
    arrow_cast(arrow_cast(min(section.seen_on), 'Int32') + 1, 'Date32') AS known_on
FROM taken
INNER JOIN section ON section.section_id = taken.section_id AND 2 * section.marked_n >= section.people
LEFT JOIN marked ON marked.section_id = taken.section_id AND marked.student_key = taken.student_key
WHERE marked.student_key IS NULL
GROUP BY taken.student_key, taken.term

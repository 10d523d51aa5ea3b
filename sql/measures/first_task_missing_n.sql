/*---
kind      = "measure"
about     = "Sections of the newest term in which half of the class has a midterm mark and the student has none (首次任务缺失)."
about_zh  = "最近有期中成绩的学期里，全班已有一半出了期中成绩而本人没有的教学班数。"
title_zh  = "期中成绩缺失门数"
title_en  = "Midterm marks missing"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "class"
unit      = "count"
window    = "180d"
n_min     = 2
cov_min   = 0.0
mad_floor = 0.5
class     = "trace"
---*/

WITH newest AS (
    SELECT max(term) AS term
    FROM stg_grade_record
    WHERE exam_kind = 'midterm'
),

marked AS (
    SELECT stg_grade_record.section_id, stg_grade_record.student_key
    FROM stg_grade_record
    INNER JOIN newest ON newest.term = stg_grade_record.term
    WHERE stg_grade_record.exam_kind = 'midterm' AND stg_grade_record.section_id IS NOT NULL
),

taken AS (
    SELECT dim_student.student_key, stg_course_section.section_id
    FROM stg_course_section
    INNER JOIN newest ON newest.term = stg_course_section.term
    INNER JOIN dim_student ON dim_student.class = stg_course_section.class AND dim_student.as_of_on = $as_of AND dim_student.is_enrolled
),

section AS (
    SELECT taken.section_id, count(*) AS people, sum(CASE WHEN marked.student_key IS NULL THEN 0 ELSE 1 END) AS marked_n
    FROM taken
    LEFT JOIN marked ON marked.section_id = taken.section_id AND marked.student_key = taken.student_key
    GROUP BY taken.section_id
)

SELECT
    taken.student_key,
    sum(CASE WHEN marked.student_key IS NULL THEN 1 ELSE 0 END) AS value,
    count(*) AS n,
    1.0 AS cov
FROM taken
INNER JOIN section ON section.section_id = taken.section_id AND 2 * section.marked_n >= section.people
LEFT JOIN marked ON marked.section_id = taken.section_id AND marked.student_key = taken.student_key
GROUP BY taken.student_key

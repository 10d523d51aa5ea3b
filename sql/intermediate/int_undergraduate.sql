/*---
kind         = "table"
about        = "Enrolled undergraduates of a date with what their risk models are weighed and audited by: place, campus, gender, and when aid was last recognised (在籍本科生)."
about_zh     = "基准日的在籍本科生，附风险模型加权和审计所用的属性：所在、校区、性别、最近一次资助认定的时间。"
owner        = "academic_affairs_office"
materialized = "view"
subject      = "student_key"
purpose      = ["trend_warning", "service"]

[columns]
place         = { about = "Building and floor of the bed: the baseline of places.", about_zh = "床位所在楼栋和楼层：地点基线。", class = "personal" }
grade         = { about = "Year of entry, as a word.", about_zh = "入学年份，作为文字。" }
campus        = { about = "Campus; one where the register tells of none.", about_zh = "校区；学籍没有校区时算作一个。", class = "personal" }
gender        = { about = "For the audit of fairness only; never an input.", about_zh = "仅用于公平性审计；绝不作输入。", class = "closed" }
recognised_on = { about = "When aid was last recognised; it is renewed every year.", about_zh = "最近一次认定困难的时间；每年重新认定。", class = "closed" }
---*/

WITH recognised AS (
    SELECT student_key, max(recognised_on) AS recognised_on
    FROM stg_aid_status
    GROUP BY student_key
)

SELECT
    dim_student.student_key,
    concat(dim_student.building_id, '/', CAST(dim_student.floor AS VARCHAR)) AS place,
    dim_student.college,
    CAST(dim_student.grade AS VARCHAR) AS grade,
    coalesce(dim_student.campus, 'one') AS campus,
    stg_student.gender,
    recognised.recognised_on
FROM dim_student
INNER JOIN stg_student ON stg_student.student_key = dim_student.student_key
LEFT JOIN recognised ON recognised.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of AND dim_student.is_enrolled AND dim_student.study_stage = 'undergraduate'

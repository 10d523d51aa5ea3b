/*---
kind     = "list"
about    = "Interns whose tutor at the university has recorded no talk with them for a week; a talk with somebody else is none of the tutor's (实习周联系). Where no tutor is named, any talk counts and the column says so."
about_zh = "校内指导教师已一周没有联系记录的实习学生；他人的谈话不计。没有登记指导教师的，任何联系都计入，并在“有指导教师”一列标明。"
title_zh = "实习周联系到期"
title_en = "Interns to be contacted"
owner    = "academic_affairs_office"
grain    = ["placement_id"]
subject  = "student_key"
purpose  = ["service"]

[columns]
placement_id    = { title_zh = "实习编号", title_en = "Placement" }
begins_on       = { title_zh = "开始日期", title_en = "From" }
ends_on         = { title_zh = "结束日期", title_en = "To" }
has_tutor       = { about = "Whether the placement names a tutor of the university.", about_zh = "实习安排是否写明校内指导教师。", class = "trace", title_zh = "有指导教师", title_en = "Has a tutor" }
last_contact_on = { about = "Day of the last recorded talk with the tutor since the internship began; empty without one.", about_zh = "实习开始以来与指导教师最近一次有记录的谈话；没有时为空。", title_zh = "最近联系", title_en = "Last contact" }
college_name    = { title_zh = "学院", title_en = "College" }
class           = { title_zh = "班级", title_en = "Class" }
---*/

WITH met AS (
    SELECT stg_internship_placement.placement_id, max(stg_contact_record.occurred_on) AS last_contact_on
    FROM stg_internship_placement
    INNER JOIN stg_contact_record ON stg_contact_record.student_key = stg_internship_placement.student_key
    WHERE stg_contact_record.staff_key = coalesce(stg_internship_placement.tutor_key, stg_contact_record.staff_key)
        AND stg_contact_record.occurred_on >= stg_internship_placement.begins_on
    GROUP BY stg_internship_placement.placement_id
)

SELECT
    stg_internship_placement.placement_id,
    stg_internship_placement.student_key,
    stg_internship_placement.begins_on,
    stg_internship_placement.ends_on,
    stg_internship_placement.tutor_key IS NOT NULL AS has_tutor,
    met.last_contact_on,
    dim_student.college_name,
    dim_student.class
FROM stg_internship_placement
INNER JOIN dim_student ON dim_student.student_key = stg_internship_placement.student_key AND dim_student.as_of_on = $as_of
LEFT JOIN met ON met.placement_id = stg_internship_placement.placement_id
WHERE stg_internship_placement.begins_on <= $as_of - INTERVAL '7' DAY
    AND stg_internship_placement.ends_on >= $as_of
    AND coalesce(met.last_contact_on < $as_of - INTERVAL '7' DAY, TRUE)

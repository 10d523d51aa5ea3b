/*---
kind     = "list"
about    = "Rooms to visit this week and who lives there (本周走访), in the order of the plan. Some are drawn at random, and the list does not say which."
about_zh = "本周要走访的房间及住宿学生，按计划顺序。其中部分房间随机抽取，清单不标明是哪些。"
title_zh = "本周走访"
title_en = "Rooms to visit this week"
owner    = "student_affairs_office"
grain    = ["visit_no", "student_key"]
subject  = "student_key"
purpose  = ["service"]

[columns]
visit_no      = { about = "Place in the plan.", about_zh = "在计划中的序号。", class = "trace", title_zh = "序号", title_en = "No." }
building_name = { title_zh = "楼栋", title_en = "Building" }
floor         = { title_zh = "楼层", title_en = "Floor" }
room_id       = { title_zh = "房间", title_en = "Room" }
class         = { title_zh = "班级", title_en = "Class" }
plan_on       = { about = "Date of the plan, a Monday.", about_zh = "计划日期，为周一。", class = "internal", title_zh = "计划日期", title_en = "Planned on" }
is_met        = { about = "Whether a sheet of this week says that the student was met.", about_zh = "本周的观察表是否说见到了该生。", class = "trace", title_zh = "本周已见面", title_en = "Met this week" }
---*/

WITH met AS (
    SELECT DISTINCT student_key
    FROM int_visit_sheet
    WHERE occurred_on >= date_trunc('week', $as_of)
)

SELECT
    plan.visit_no,
    dim_student.student_key,
    dim_student.building_name,
    dim_student.floor,
    dim_student.room_id,
    dim_student.class,
    plan.as_of_on AS plan_on,
    met.student_key IS NOT NULL AS is_met
FROM closed_visit_plan AS plan
INNER JOIN dim_student
    ON dim_student.room_id = plan.room_id AND dim_student.counselor_key = plan.counselor_key AND dim_student.as_of_on = $as_of
LEFT JOIN met ON met.student_key = dim_student.student_key
WHERE plan.as_of_on = CAST(date_trunc('week', $as_of) AS DATE) AND dim_student.is_enrolled

/*---
kind     = "list"
about    = "Who registered to stay on campus over a holiday that runs or begins within two weeks, and in which room (假期留校). Who keeps the building looks after them."
about_zh = "正在进行或两周内开始的假期中，登记留校的学生及所住房间。供楼栋照管留校学生使用。"
title_zh = "假期留校"
title_en = "Staying over a holiday"
owner    = "student_affairs_office"
grain    = ["stay_id"]
subject  = "student_key"
purpose  = ["public_safety", "service"]

[settings]
ahead_days = 14

[columns]
stay_id       = { title_zh = "登记编号", title_en = "Registration" }
holiday       = { title_zh = "假期", title_en = "Holiday" }
begins_on     = { title_zh = "开始日期", title_en = "From" }
ends_on       = { title_zh = "结束日期", title_en = "To" }
building_name = { title_zh = "楼栋", title_en = "Building" }
floor         = { title_zh = "楼层", title_en = "Floor" }
room_id       = { about = "Room of the stay; where none was registered, the room of the bed.", about_zh = "留校所住的房间；没有登记的，为本人床位所在房间。", class = "trace", title_zh = "房间", title_en = "Room" }
is_own_room   = { about = "Whether that is the room of the student's bed; empty without a bed.", about_zh = "是否就是本人床位所在房间；没有床位时为空。", class = "trace", title_zh = "住本人房间", title_en = "Own room" }
is_on_leave   = { title_zh = "请假", title_en = "On leave" }
college_name  = { title_zh = "学院", title_en = "College" }
class         = { title_zh = "班级", title_en = "Class" }
---*/

WITH stay AS (
    SELECT
        stg_holiday_stay.stay_id,
        stg_holiday_stay.student_key,
        stg_holiday_stay.holiday,
        stg_holiday_stay.begins_on,
        stg_holiday_stay.ends_on,
        coalesce(stg_holiday_stay.room_id, dim_student.room_id) AS room_id,
        coalesce(stg_holiday_stay.room_id, dim_student.room_id) = dim_student.room_id AS is_own_room,
        dim_student.is_on_leave,
        dim_student.college_name,
        dim_student.class
    FROM stg_holiday_stay
    INNER JOIN dim_student ON dim_student.student_key = stg_holiday_stay.student_key AND dim_student.as_of_on = $as_of
    WHERE stg_holiday_stay.begins_on <= $as_of + INTERVAL '${ahead_days}' DAY
        AND stg_holiday_stay.ends_on >= $as_of
        AND dim_student.is_enrolled
)

SELECT
    stay.stay_id,
    stay.student_key,
    stay.holiday,
    stay.begins_on,
    stay.ends_on,
    stg_building.building_name,
    stg_room.floor,
    stay.room_id,
    stay.is_own_room,
    stay.is_on_leave,
    stay.college_name,
    stay.class
FROM stay
LEFT JOIN stg_room ON stg_room.room_id = stay.room_id
LEFT JOIN stg_building ON stg_building.building_id = stg_room.building_id

/*---
kind     = "list"
about    = "Who lives in which room of a building, and whether they are on leave (住宿名册). For whoever keeps the building: nothing of why or where."
about_zh = "各房间的住宿学生，以及当晚是否请假。供楼栋管理使用，不含请假原因和去向。"
title_zh = "住宿名册"
title_en = "Residents"
owner    = "dormitory_office"
grain    = ["building_name", "floor", "room_id", "student_key"]
subject  = "student_key"
purpose  = ["public_safety", "service"]

[columns]
building_name = { title_zh = "楼栋", title_en = "Building" }
floor         = { title_zh = "楼层", title_en = "Floor" }
room_id       = { title_zh = "房间", title_en = "Room" }
is_on_leave   = { title_zh = "请假", title_en = "On leave" }
---*/

SELECT building_name, floor, room_id, student_key, is_on_leave
FROM dim_student
WHERE as_of_on = $as_of AND is_enrolled AND building_id IS NOT NULL

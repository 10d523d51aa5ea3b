/*---
kind     = "list"
live     = true
about    = "Boarders whose last entry tonight came after their building had closed (今晚晚归). Whoever is on leave, and every holiday, is left out. It says when they came in last, and neither whether they went out again nor why."
about_zh = "今晚在楼栋关门之后回到宿舍楼的住宿生；已导入的请假和节假日不列入。只说明最后一次进楼的大致时间，不说明之后是否外出，也不说明原因；需要时先听本人说。"
title_zh = "今晚晚归"
title_en = "Late tonight"
owner    = "logistics_security_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["public_safety"]

[settings]
curfew_minute = 1380     # 23:00, where the register of buildings says no other hour

[columns]
night_on      = { about = "The night.", about_zh = "哪一晚。", class = "trace", title_zh = "夜晚", title_en = "Night" }
college_name  = { title_zh = "学院", title_en = "College" }
class         = { title_zh = "班级", title_en = "Class" }
building_name = { title_zh = "楼栋", title_en = "Building" }
floor         = { title_zh = "楼层", title_en = "Floor" }
room_id       = { title_zh = "房间", title_en = "Room" }
is_leave_old  = { about = "No leave has come in for eight days, so a leave may not be known yet.", about_zh = "近八天没有新的请假记录导入，可能有请假尚未收到。", title_zh = "请假数据较旧", title_en = "Leave data are old" }
from_at       = { about = "The entry; the row holds from then on. Keepers and counselors read the quarter of an hour.", about_zh = "进楼时间；宿管和辅导员看到的是所在的一刻钟。", class = "trace", title_zh = "进楼时间", title_en = "Came in" }
---*/

SELECT
    int_student_day.student_key,
    int_student_day.occurred_on AS night_on,
    int_open_boarder.college_name,
    int_open_boarder.class,
    int_open_boarder.building_name,
    int_open_boarder.floor,
    int_open_boarder.room_id,
    int_open_boarder.is_leave_old,
    -- Campus days begin at 04:00: minute 240 of their own date.
    arrow_cast(CAST(day_start($as_of) AS BIGINT) + (int_student_day.evening_last_in_minute - 240) * 60000000, 'Timestamp(Microsecond, Some("UTC"))') AS from_at
FROM int_student_day
INNER JOIN int_open_boarder ON int_open_boarder.student_key = int_student_day.student_key
WHERE int_student_day.occurred_on = $as_of
    AND int_student_day.evening_last_in_minute >= coalesce(int_open_boarder.closes_minute, ${curfew_minute})
    AND NOT int_open_boarder.is_away
    AND NOT int_open_boarder.is_free

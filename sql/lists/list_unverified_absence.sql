/*---
kind     = "list"
about    = "Boarders of whom nothing says that they were in last night: no entry, no evidence on campus, no leave that has come in, and working gates (未归待核实). Nothing seen is not absent: ask how the student is first."
about_zh = "昨晚没有任何归寝记录、需要核实的住宿生：没有进门记录和校内记录，已导入的请假中没有本人，门禁设备正常。没有记录不等于未归，请先联系本人，问一声是否平安。"
title_zh = "未归待核实"
title_en = "Absences to verify"
owner    = "logistics_security_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["public_safety"]
complete_at = "23:30"    # half an hour after the gates close, where the register of buildings says no other hour

[columns]
night_on         = { about = "The night.", about_zh = "是哪一夜。", title_zh = "夜晚", title_en = "Night" }
college_name     = { title_zh = "学院", title_en = "College" }
class            = { title_zh = "班级", title_en = "Class" }
building_name    = { title_zh = "楼栋", title_en = "Building" }
floor            = { title_zh = "楼层", title_en = "Floor" }
room_id          = { title_zh = "房间", title_en = "Room" }
last_seen_at     = { about = "Last evidence on any channel.", about_zh = "任何渠道的最近一次记录。", title_zh = "最近一次记录", title_en = "Last evidence" }
complete_minute  = { about = "Local minute of the night from which on the building's rows are complete, where its register says when it closes.", about_zh = "登记了关门时间的楼栋，当晚从哪个分钟起该楼栋的行才完整。", class = "internal" }
last_seen_source = { about = "Channel of that evidence.", about_zh = "该记录来自哪个渠道。", title_zh = "记录来源", title_en = "Channel" }
---*/

WITH last_day AS (
    SELECT student_key, max(last_seen_at) AS last_seen_at
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '30' DAY
    GROUP BY student_key
),

last_source AS (
    SELECT last_day.student_key, last_day.last_seen_at, min(int_campus_day.last_seen_source) AS last_seen_source
    FROM last_day
    INNER JOIN int_campus_day ON int_campus_day.student_key = last_day.student_key AND int_campus_day.last_seen_at = last_day.last_seen_at
    GROUP BY last_day.student_key, last_day.last_seen_at
)

SELECT
    fct_night.student_key,
    fct_night.night_on,
    dim_student.college_name,
    dim_student.class,
    dim_student.building_name,
    dim_student.floor,
    dim_student.room_id,
    last_source.last_seen_at,
    last_source.last_seen_source,
    int_building_closing.closing_minute AS complete_minute
FROM fct_night
INNER JOIN dim_student ON dim_student.student_key = fct_night.student_key AND dim_student.as_of_on = $as_of
LEFT JOIN last_source ON last_source.student_key = fct_night.student_key
LEFT JOIN int_building_closing ON int_building_closing.building_id = dim_student.building_id
WHERE fct_night.as_of_on = $as_of AND fct_night.night_state = 'absent'

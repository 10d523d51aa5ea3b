/*---
kind     = "list"
about    = "Evening check-ins from the dormitory in a night for which gates, cards and checks say that nobody came back (自助打卡与门禁不一致). A device or a friend may be the reason: ask, do not accuse."
about_zh = "门禁、校园卡和查寝均显示当晚未归，却有“在寝”打卡的住宿生。可能是设备问题或他人代打：先询问，不指责。"
title_zh = "自助打卡与门禁不一致"
title_en = "Check-ins that gates contradict"
owner    = "logistics_security_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["public_safety"]

[columns]
night_on        = { about = "The night.", about_zh = "是哪一夜。", title_zh = "夜晚", title_en = "Night" }
sent_at         = { about = "Last check-in of the evening.", about_zh = "当晚最后一次打卡的时间。", title_zh = "打卡时间", title_en = "Checked in at" }
nights_n        = { about = "Nights of the last 28 days with the same conflict.", about_zh = "最近28夜中有同样不一致的夜数。", title_zh = "近28天次数", title_en = "Times in 28 days" }
last_evidence_on = { about = "Last day on which a card, gate or check saw the student; empty if none did for ten weeks.", about_zh = "校园卡、门禁或查寝最后见到该生的日子；十周内没有时为空。", title_zh = "最近有记录日", title_en = "Last seen by devices on" }
college_name    = { title_zh = "学院", title_en = "College" }
class           = { title_zh = "班级", title_en = "Class" }
building_name   = { title_zh = "楼栋", title_en = "Building" }
room_id         = { title_zh = "房间", title_en = "Room" }
---*/

WITH sent AS (
    SELECT student_key, occurred_on, max(sent_at) AS sent_at
    FROM stg_self_checkin
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND place = 'dorm'
    GROUP BY student_key, occurred_on
),

seen AS (
    SELECT student_key, max(occurred_on) AS seen_on
    FROM int_campus_day
    WHERE is_on_campus
    GROUP BY student_key
),

-- Not back, or nothing at all seen of the student that day although the gates worked.
conflict AS (
    SELECT
        int_night.student_key,
        int_night.occurred_on,
        sent.sent_at,
        seen.seen_on,
        count(*) OVER (PARTITION BY int_night.student_key) AS nights_n
    FROM int_night
    INNER JOIN sent ON sent.student_key = int_night.student_key AND sent.occurred_on = int_night.occurred_on
    LEFT JOIN seen ON seen.student_key = int_night.student_key
    WHERE int_night.is_gate_seen
        AND NOT int_night.is_on_leave
        AND NOT int_night.is_found_in
        AND (int_night.is_absent OR (NOT int_night.is_back AND coalesce(seen.seen_on < int_night.occurred_on, TRUE)))
)

SELECT
    conflict.student_key,
    conflict.occurred_on AS night_on,
    conflict.sent_at,
    conflict.nights_n,
    conflict.seen_on AS last_evidence_on,
    dim_student.college_name,
    dim_student.class,
    dim_student.building_name,
    dim_student.room_id
FROM conflict
INNER JOIN dim_student ON dim_student.student_key = conflict.student_key AND dim_student.as_of_on = $as_of
WHERE conflict.occurred_on = $as_of - INTERVAL '1' DAY

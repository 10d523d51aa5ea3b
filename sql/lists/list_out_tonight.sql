/*---
kind     = "list"
live     = true
about    = "Boarders whose last passage of the dormitory gate is an exit, half an hour after their building closed, with no leave that has come in, no evidence on campus since 22:00, and gates that work and tell of passages up to this moment (今晚未归待核实). Nothing seen is not absent: ask how the student is first."
about_zh = "楼栋关门半小时后，最后一次宿舍通行仍为出、22点后没有校内记录、已导入的请假中没有本人且门禁此刻正常的住宿生。请假与通行可能尚未导入：没有记录不等于未归，请先联系本人，问一声是否平安。门禁没有正常心跳、近两小时没有通行数据或通行次数超出人力可能的楼不列出。"
title_zh = "今晚未归待核实"
title_en = "Out tonight, to be verified"
owner    = "logistics_security_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["public_safety"]

[columns]
night_on         = { about = "The night.", about_zh = "哪一晚。", class = "trace", title_zh = "夜晚", title_en = "Night" }
college_name     = { title_zh = "学院", title_en = "College" }
class            = { title_zh = "班级", title_en = "Class" }
building_name    = { title_zh = "楼栋", title_en = "Building" }
floor            = { title_zh = "楼层", title_en = "Floor" }
room_id          = { title_zh = "房间", title_en = "Room" }
last_seen_at     = { about = "Last evidence on any channel.", about_zh = "任何渠道的最近一次记录。", title_zh = "最近一次记录", title_en = "Last evidence" }
last_seen_source = { about = "Channel of that evidence.", about_zh = "该记录来自哪个渠道。", title_zh = "记录来源", title_en = "Channel" }
from_at          = { about = "Half an hour after the building closes; the row holds from then on.", about_zh = "楼栋关门后半小时；该行自此有效。", class = "trace", title_zh = "起始时间", title_en = "Since" }
is_leave_old     = { about = "No leave has come in for eight days, so a leave may not be known yet.", about_zh = "近八天没有新的请假记录导入，可能有请假尚未收到。", title_zh = "请假数据较旧", title_en = "Leave data are old" }
is_card_lost     = { about = "The card is reported lost: who comes in behind others, or with another card, leaves no passage.", about_zh = "校园卡已挂失：随他人进门或借用他人的卡，都不会留下本人的通行记录。", title_zh = "校园卡挂失", title_en = "Card lost", class = "trace" }
until_at         = { about = "Until when the building's gates are known to work and to tell of passages; the row holds no longer, unless they go on.", about_zh = "已知楼栋闸机正常且有通行记录到何时；此后该行不再有效，除非闸机继续上报。", class = "trace" }
---*/

WITH day AS (
    SELECT
        student_key,
        occurred_on,
        dorm_direction_end,
        late_evidence_n,
        last_seen_at,
        last_seen_source,
        row_number() OVER (PARTITION BY student_key ORDER BY occurred_on DESC) AS place
    FROM int_student_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND occurred_on <= $as_of
),

-- The last passage may be days old.
passed AS (
    SELECT
        student_key,
        dorm_direction_end AS direction,
        row_number() OVER (PARTITION BY student_key ORDER BY occurred_on DESC) AS place
    FROM day
    WHERE dorm_direction_end IS NOT NULL
),

tonight AS (
    SELECT student_key
    FROM day
    WHERE occurred_on = $as_of AND late_evidence_n > 0
)

SELECT
    int_open_boarder.student_key,
    $as_of AS night_on,
    int_open_boarder.college_name,
    int_open_boarder.class,
    int_open_boarder.building_name,
    int_open_boarder.floor,
    int_open_boarder.room_id,
    day.last_seen_at,
    day.last_seen_source,
    int_open_boarder.is_leave_old,
    int_open_boarder.is_card_lost,
    int_building_tonight.from_at,
    int_building_tonight.until_at
FROM int_open_boarder
INNER JOIN passed ON passed.student_key = int_open_boarder.student_key AND passed.place = 1
INNER JOIN int_building_tonight ON int_building_tonight.building_id = int_open_boarder.building_id
LEFT JOIN day ON day.student_key = int_open_boarder.student_key AND day.place = 1
LEFT ANTI JOIN tonight ON tonight.student_key = int_open_boarder.student_key
WHERE passed.direction = 'out'
    AND int_building_tonight.until_at IS NOT NULL
    AND NOT int_open_boarder.is_away
    AND NOT int_open_boarder.is_free
    AND NOT int_open_boarder.is_excused
    -- Found or reached: until something is seen of them again that explains nothing.
    AND (int_open_boarder.found_at IS NULL OR day.last_seen_at > int_open_boarder.found_at)

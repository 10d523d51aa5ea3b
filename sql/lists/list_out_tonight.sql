/*---
kind     = "list"
live     = true
about    = "Boarders whose last passage of the dormitory gate is an exit, half an hour after their building closed, with no leave that has come in, no evidence on campus since 22:00, and gates that work up to this moment (今晚未归). Nothing seen is not absent: reach the student first."
about_zh = "楼栋关门半小时后，最后一次宿舍通行仍为出、22点后没有校内记录、已导入的请假中没有本人且门禁此刻正常的住宿生。请假与通行可能尚未导入：没有记录不等于未归，请先联系本人。门禁没有心跳或通行次数超出人力可能的楼不列出。"
title_zh = "今晚未归"
title_en = "Out tonight"
owner    = "logistics_security_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["public_safety"]

[settings]
closing_minute = 1410    # 23:30, half an hour after the gates close, where the register of buildings says no other hour
gate_cov_min   = 0.8     # of the building's gate time from 18:00 on
flood_min      = 600     # passages in ten minutes: whoever came in may be among what such a gate does not tell
silent_after   = "30 minutes"   # a gate without sign of life for so long is out of order

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
until_at         = { about = "Until when the building's gates are known to work; the row holds no longer, unless they go on reporting.", about_zh = "已知楼栋闸机正常到何时；此后该行不再有效，除非闸机继续上报。", class = "trace" }
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
),

beat AS (
    SELECT
        stg_device.building_id,
        int_device_day.last_beat_at,
        coalesce(int_device_day.night_minutes, 0) AS night_minutes,
        -- Minutes since 18:00 of which the gate has told already.
        least(480, greatest(0, CAST((date_part('epoch', int_device_day.last_beat_at) - date_part('epoch', day_start($as_of))) AS BIGINT) / 60 - 840)) AS due_minutes
    FROM stg_device
    LEFT JOIN int_device_day ON int_device_day.device_id = stg_device.device_id AND int_device_day.occurred_on = $as_of
    WHERE stg_device.kind = 'dorm'
),

-- One gate that says nothing is a way in that nobody watches.
gate AS (
    SELECT
        building_id,
        min(last_beat_at) AS beat_at,
        sum(night_minutes) AS night_minutes,
        sum(due_minutes) AS due_minutes,
        sum(CASE WHEN last_beat_at IS NULL THEN 1 ELSE 0 END) AS silent_n
    FROM beat
    GROUP BY building_id
),

flooded AS (
    SELECT DISTINCT stg_device.building_id
    FROM int_gate_slot
    INNER JOIN stg_device ON stg_device.device_id = int_gate_slot.device_id
    WHERE int_gate_slot.occurred_on = $as_of AND int_gate_slot.passage_n >= ${flood_min}
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
    -- Campus days begin at 04:00: minute 240 of their own date.
    arrow_cast(CAST(day_start($as_of) AS BIGINT) + (coalesce(int_open_boarder.closing_minute, ${closing_minute}) - 240) * 60000000, 'Timestamp(Microsecond, Some("UTC"))') AS from_at,
    gate.beat_at + CAST(${silent_after} AS INTERVAL) AS until_at
FROM int_open_boarder
INNER JOIN passed ON passed.student_key = int_open_boarder.student_key AND passed.place = 1
INNER JOIN gate ON gate.building_id = int_open_boarder.building_id
LEFT JOIN day ON day.student_key = int_open_boarder.student_key AND day.place = 1
LEFT ANTI JOIN tonight ON tonight.student_key = int_open_boarder.student_key
LEFT ANTI JOIN flooded ON flooded.building_id = int_open_boarder.building_id
WHERE passed.direction = 'out'
    AND gate.silent_n = 0
    AND gate.night_minutes >= ${gate_cov_min} * gate.due_minutes
    AND NOT int_open_boarder.is_away
    AND NOT int_open_boarder.is_free
    AND NOT int_open_boarder.is_found_in

/*---
kind     = "list"
live     = true
about    = "Boarders of whom no channel has told anything for 36 hours, or for longer than is usual for them, while the sources go on telling and nothing explains it (数据无记录). The same as the night's finding no_trace, from the moment at which it is so; whom it names, all at once and whatever hours there are for talks. An offer of help and no verdict: reach the student first."
about_zh = "已36小时以上、且比本人以往少见地更久，任何渠道都没有校内记录的住宿生：校园卡、门禁、图书馆，以及课堂点名、查寝、个别谈话。请假、实习、节假日、校园事件、闸机故障、挂失可以说明的不列出；数据来源没有送到的时段不算。名单完整，不受谈话工时限制。没有记录不等于失联：可能在校外、用现金或手机支付、随他人进出。请先联系本人，问一声是否平安，需要什么帮助。"
title_zh = "数据无记录待核实"
title_en = "No trace, to be verified"
owner    = "student_affairs_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["public_safety"]

[settings]
silence_min = 36           # hours, and those of an event that kept the campus or the building from its usual day; as the rule no_trace
gap_share   = 0.05         # of the student's own gaps between days with evidence may be as long; as the rule no_trace
alive_min   = 0.8          # of their time the gates of the building have told that they are alive; as the rule no_trace
told_for    = "30 hours"   # a source comes once a night at least: of what is older nobody knows whether it still holds

[columns]
college_name     = { title_zh = "学院", title_en = "College" }
class            = { title_zh = "班级", title_en = "Class" }
building_name    = { title_zh = "楼栋", title_en = "Building" }
floor            = { title_zh = "楼层", title_en = "Floor" }
room_id          = { title_zh = "房间", title_en = "Room" }
last_seen_at     = { about = "Last evidence on any channel, of devices or of people who saw the student. Counselors and psychologists read the quarter of an hour.", about_zh = "任何渠道的最近一次记录：设备记录，或有人见到。辅导员和心理教师看到的是所在的一刻钟。", class = "trace", title_zh = "最近一次记录", title_en = "Last evidence" }
last_seen_source = { about = "Channel of that evidence: card, gate, class_attendance, night_check or contact_record.", about_zh = "该记录来自哪个渠道：card 校园卡、gate 门禁、class_attendance 课堂点名、night_check 查寝或 contact_record 谈话。", class = "trace", title_zh = "记录来源", title_en = "Channel" }
is_leave_old     = { about = "No leave has come in for eight days, so a leave may not be known yet.", about_zh = "近八天没有新的请假记录导入，可能有请假尚未收到。", title_zh = "请假数据较旧", title_en = "Leave data are old" }
from_at          = { about = "Since when the silence is longer than is usual, in whole hours: no passage can be told from it. The row holds from then on.", about_zh = "自何时起比平时更久，取整点，由此推不出某次通行的时间；该行自此有效。", class = "trace", title_zh = "起始时间", title_en = "Since" }
until_at         = { about = "Until when what the sources have told is believed, in whole hours; the row holds no longer, unless they go on.", about_zh = "各来源所报的情况到何时为止仍可采信，取整点；此后该行不再有效，除非来源继续上报。", class = "trace" }
---*/

-- What is counted, and what explains it, is what int_trace_day and the rule no_trace say of a date. Those are written once a
-- date; here the day goes on, so it is worked out from what is known by now. The kind of day is left to the night.
WITH silent AS (
    -- Of the few whom no device tells of only: the days of all others would be sorted in vain.
    SELECT student_key
    FROM int_student_day
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY
    GROUP BY student_key
    HAVING max(last_seen_at) <= day_start($as_of) + INTERVAL '24' HOUR - INTERVAL '${silence_min}' HOUR
),

evidence AS (
    SELECT student_key, occurred_on, first_seen_at, last_seen_at, last_seen_source AS seen_by
    FROM int_student_day
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY

    UNION ALL

    -- A code that is scanned can be passed on: it ends no silence.
    SELECT student_key, occurred_on, held_at AS first_seen_at, held_at AS last_seen_at, 'class_attendance' AS seen_by
    FROM stg_class_attendance
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND state IN ('present', 'late') AND coalesce(method, 'roll_call') IN ('roll_call', 'card')

    UNION ALL

    SELECT student_key, occurred_on, checked_at AS first_seen_at, checked_at AS last_seen_at, 'night_check' AS seen_by
    FROM stg_night_check
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND result = 'in'

    UNION ALL

    SELECT student_key, campus_on(answered_at) AS occurred_on, answered_at AS first_seen_at, answered_at AS last_seen_at, 'night_check' AS seen_by
    FROM int_absence_check
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND result IN ('in_room', 'contacted')

    UNION ALL

    -- A talk to many says nothing of one.
    SELECT student_key, occurred_on, held_at AS first_seen_at, held_at AS last_seen_at, 'contact_record' AS seen_by
    FROM stg_contact_record
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND mode IN ('one_to_one', 'phone')
),

seen AS (
    SELECT
        evidence.student_key,
        evidence.occurred_on,
        min(evidence.first_seen_at) AS first_seen_at,
        max(evidence.last_seen_at) AS last_seen_at,
        first_value(evidence.seen_by ORDER BY evidence.last_seen_at DESC, evidence.seen_by) AS seen_by
    FROM evidence
    INNER JOIN silent ON silent.student_key = evidence.student_key
    GROUP BY evidence.student_key, evidence.occurred_on
),

-- From the last evidence of a day to the first of the next.
gap AS (
    SELECT
        student_key,
        last_seen_at,
        seen_by,
        date_part('epoch', lead(first_seen_at) OVER (PARTITION BY student_key ORDER BY occurred_on))
            - date_part('epoch', last_seen_at) AS gap_s
    FROM seen
),

ranked AS (
    SELECT
        student_key,
        last_seen_at,
        seen_by,
        gap_s,
        CAST(row_number() OVER (PARTITION BY student_key ORDER BY gap_s DESC NULLS LAST) AS BIGINT) AS place,
        CAST(count(gap_s) OVER (PARTITION BY student_key) AS BIGINT) AS gap_n
    FROM gap
),

-- A silence is unusual once it is longer than the gap of this place among the own ones: then no more than the share of them
-- are as long, one added on both sides as in the rule. A short history has no such place, and never makes a gap unusual.
own AS (
    SELECT
        student_key,
        max(last_seen_at) AS seen_at,
        first_value(seen_by ORDER BY last_seen_at DESC, seen_by) AS seen_by,
        max(CASE WHEN place = CAST(floor(${gap_share} * (1 + gap_n)) AS BIGINT) THEN CAST(floor(gap_s) AS BIGINT) END) AS usual_s
    FROM ranked
    GROUP BY student_key
),

-- Most are away on a holiday, on the days behind it, and on the one that leads into it.
free AS (
    SELECT DISTINCT cohort.campus, cohort.grade
    FROM (SELECT DISTINCT coalesce(campus, '') AS campus, grade FROM stg_student) AS cohort
    INNER JOIN stg_calendar_day ON coalesce(stg_calendar_day.campus, cohort.campus) = cohort.campus
        AND coalesce(stg_calendar_day.cohort_scope, CAST(cohort.grade AS VARCHAR)) = CAST(cohort.grade AS VARCHAR)
    WHERE stg_calendar_day.kind IN ('holiday', 'vacation')
        AND stg_calendar_day.date >= $as_of - INTERVAL '2' DAY AND stg_calendar_day.date <= $as_of + INTERVAL '1' DAY
),

-- Minutes of the open day of which any device has told.
due AS (
    SELECT least(1440, greatest(0, CAST((date_part('epoch', max(last_beat_at)) - date_part('epoch', day_start($as_of))) AS BIGINT) / 60)) AS due_minutes
    FROM int_device_day
    WHERE occurred_on >= $as_of - INTERVAL '2' DAY AND occurred_on <= $as_of
),

gate AS (
    SELECT
        stg_device.building_id,
        stg_device.device_id,
        sum(CASE WHEN int_device_day.occurred_on < $as_of THEN int_device_day.alive_minutes ELSE 0 END) AS before_minutes,
        sum(CASE WHEN int_device_day.occurred_on >= $as_of - INTERVAL '1' DAY THEN int_device_day.alive_minutes ELSE 0 END) AS lately_minutes
    FROM stg_device
    LEFT JOIN int_device_day ON int_device_day.device_id = stg_device.device_id
        AND int_device_day.occurred_on >= $as_of - INTERVAL '2' DAY AND int_device_day.occurred_on <= $as_of
    WHERE stg_device.kind = 'dorm' AND stg_device.building_id IS NOT NULL
    GROUP BY stg_device.building_id, stg_device.device_id
),

-- Of the two days before, as the night has it, or since yesterday.
broken AS (
    SELECT gate.building_id
    FROM gate
    CROSS JOIN due
    GROUP BY gate.building_id, due.due_minutes
    HAVING sum(gate.before_minutes) < ${alive_min} * 2880 * count(*)
        OR sum(gate.lately_minutes) < ${alive_min} * (1440 + due.due_minutes) * count(*)
),

missed AS (
    SELECT
        own.student_key,
        own.seen_at,
        own.seen_by,
        own.usual_s,
        int_open_boarder.college_name,
        int_open_boarder.class,
        int_open_boarder.building_id,
        int_open_boarder.building_name,
        int_open_boarder.floor,
        int_open_boarder.room_id,
        int_open_boarder.is_leave_old,
        coalesce(stg_student.campus, '') AS campus
    FROM own
    INNER JOIN int_open_boarder ON int_open_boarder.student_key = own.student_key
    INNER JOIN stg_student ON stg_student.student_key = own.student_key
    -- Where no device reports, silence cannot be told from a feed that is broken.
    CROSS JOIN (SELECT count(*) AS beat_n FROM int_device_day WHERE occurred_on >= $as_of - INTERVAL '28' DAY) AS device
    LEFT ANTI JOIN stg_leave_record ON stg_leave_record.student_key = own.student_key
        AND stg_leave_record.begins_at < day_start($as_of) + INTERVAL '24' HOUR AND stg_leave_record.ends_at > own.seen_at
        AND (stg_leave_record.returned_at IS NULL OR stg_leave_record.returned_at > own.seen_at)
    LEFT ANTI JOIN stg_internship_placement ON stg_internship_placement.student_key = own.student_key
        AND stg_internship_placement.begins_on <= $as_of AND stg_internship_placement.ends_on >= campus_on(own.seen_at)
    LEFT ANTI JOIN free ON free.grade = stg_student.grade AND free.campus = coalesce(stg_student.campus, '')
    LEFT ANTI JOIN broken ON broken.building_id = int_open_boarder.building_id
    WHERE own.usual_s IS NOT NULL
        AND own.seen_at <= day_start($as_of) + INTERVAL '24' HOUR - INTERVAL '${silence_min}' HOUR
        AND device.beat_n > 0
        AND NOT int_open_boarder.is_away
        AND NOT int_open_boarder.is_free
        AND NOT int_open_boarder.is_excused
        AND NOT int_open_boarder.is_card_lost
),

-- What storms, cuts, closures and large events of the campus or the building took of the silence is waited for as well.
held AS (
    SELECT
        missed.student_key,
        missed.seen_at,
        missed.seen_by,
        missed.usual_s,
        missed.college_name,
        missed.class,
        missed.building_name,
        missed.floor,
        missed.room_id,
        missed.is_leave_old,
        sum(CASE WHEN stg_campus_event.begins_at IS NOT NULL
            THEN CAST(greatest(0, date_part('epoch', stg_campus_event.ends_at)
                - date_part('epoch', greatest(stg_campus_event.begins_at, missed.seen_at))) AS BIGINT) END) AS event_s
    FROM missed
    LEFT JOIN stg_campus_event
        ON coalesce(stg_campus_event.campus, missed.campus) = missed.campus
        AND coalesce(stg_campus_event.building_id, missed.building_id) = missed.building_id
        AND stg_campus_event.begins_at < missed.seen_at + INTERVAL '${silence_min}' HOUR AND stg_campus_event.ends_at > missed.seen_at
    GROUP BY missed.student_key, missed.seen_at, missed.seen_by, missed.usual_s, missed.college_name, missed.class, missed.building_name,
        missed.floor, missed.room_id, missed.is_leave_old
),

dated AS (
    SELECT
        student_key,
        college_name,
        class,
        building_name,
        floor,
        room_id,
        seen_at,
        seen_by,
        is_leave_old,
        arrow_cast(
            (CAST(seen_at AS BIGINT) + 1000000 * (greatest(3600 * ${silence_min}, usual_s + 1) + coalesce(event_s, 0)) + 3599999999) / 3600000000 * 3600000000,
            'Timestamp(Microsecond, Some("UTC"))'
        ) AS from_at
    FROM held
),

-- How far cards and gates have told of anybody. A source that is late may hold what would end a silence, so what it has not
-- told of yet is none; a school without the one is told of by the other.
told AS (
    SELECT least(
        max(CASE WHEN last_seen_source = 'card' THEN last_seen_at END),
        max(CASE WHEN last_seen_source = 'gate' THEN last_seen_at END)
    ) AS told_at
    FROM int_student_day
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND occurred_on <= $as_of
)

SELECT
    dated.student_key,
    dated.college_name,
    dated.class,
    dated.building_name,
    dated.floor,
    dated.room_id,
    dated.seen_at AS last_seen_at,
    dated.seen_by AS last_seen_source,
    dated.is_leave_old,
    dated.from_at,
    -- In whole hours too: an instant that moves with every payment would be a change of every row with each of them.
    arrow_cast(CAST(told.told_at AS BIGINT) / 3600000000 * 3600000000, 'Timestamp(Microsecond, Some("UTC"))') + CAST(${told_for} AS INTERVAL) AS until_at
FROM dated
CROSS JOIN told
WHERE dated.from_at <= told.told_at

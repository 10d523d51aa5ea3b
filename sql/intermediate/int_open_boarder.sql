/*---
kind         = "table"
about        = "Whoever lives in a dormitory on the open day: bed, closing time, and what explains that they are not there tonight. For live lists; what is as of a date reads dim_student (当日住宿生)."
about_zh     = "当日住宿生：当天住在宿舍的每个人的床位、关门时间，以及今晚不在的解释。供实时清单使用；以某个基准日为准的内容读取 dim_student。"
owner        = "logistics_security_office"
materialized = "view"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["public_safety"]

[settings]
leave_days = 8    # leave comes as a file a week: later than that some may not have come in

[columns]
college_name   = { about = "Name of the college.", about_zh = "学院名称。" }
building_id    = { about = "Building of the student's bed.", about_zh = "学生床位所在楼栋。" }
building_name  = { about = "Name of that building.", about_zh = "该楼栋的名称。" }
floor          = { about = "Floor of the bed.", about_zh = "床位所在楼层。" }
room_id        = { about = "Room of the bed.", about_zh = "床位所在房间。" }
closes_minute  = { unit = "minutes", about = "When the building's gates close, since 00:00 of the night's own date; empty where the register does not say.", about_zh = "楼栋门禁关闭的时间，自当晚日期 00:00 起的分钟数；登记册没有说明时为空。" }
closing_minute = { unit = "minutes", about = "Until when somebody counts as back there.", about_zh = "在该处到何时为止算已返回。" }
is_away        = { about = "An approved leave or an internship covers the night.", about_zh = "当晚有已批准的请假或实习。" }
is_free        = { about = "The night belongs to a holiday or vacation or leads into one, and no stay was registered.", about_zh = "当晚在节假日或假期之内，或次日放假，且没有登记留校。" }
is_leave_old   = { about = "No leave has come in for eight days: who is on leave may not be known yet.", about_zh = "近八天没有请假记录导入：可能还不知道谁已请假。", class = "internal" }
is_card_lost   = { about = "The card is reported lost, so that gates cannot tell what the student does.", about_zh = "校园卡已挂失，门禁因此看不到该生。", class = "trace" }
is_excused     = { about = "Whoever looked was told of leave or notice for tonight.", about_zh = "核实的人得知该生今晚已请假或报备。", class = "trace" }
found_at       = { about = "When somebody last found the student in the room or reached them tonight; it speaks of what was before, and of no exit after it.", about_zh = "今晚最近一次有人在房间见到或联系到该生的时间；只说明此前的情况，不说明此后的外出。", class = "trace" }
---*/

WITH bed AS (
    SELECT
        stg_bed_assignment.student_key,
        stg_bed_assignment.room_id,
        room.floor,
        room.building_id,
        building.building_name,
        row_number() OVER (
            PARTITION BY stg_bed_assignment.student_key ORDER BY stg_bed_assignment.moved_in_on DESC, stg_bed_assignment.room_id
        ) AS place
    FROM stg_bed_assignment
    LEFT JOIN stg_room AS room ON room.room_id = stg_bed_assignment.room_id
    LEFT JOIN stg_building AS building ON building.building_id = room.building_id
    WHERE stg_bed_assignment.moved_in_on <= $as_of
        AND (stg_bed_assignment.moved_out_on IS NULL OR stg_bed_assignment.moved_out_on > $as_of)
),

-- Of whom a death was entered is looked for by no list.
gone AS (
    SELECT DISTINCT student_key
    FROM stg_student_departure
    WHERE gone_on <= $as_of
),

span AS (
    SELECT
        student_key,
        status,
        row_number() OVER (PARTITION BY student_key ORDER BY valid_from DESC, span_id DESC) AS place
    FROM stg_enrollment_span
    WHERE valid_from <= $as_of AND (valid_to IS NULL OR valid_to >= $as_of)
),

-- Whom register or span says not to study here is not expected tonight.
enrolled AS (
    SELECT
        stg_student.student_key,
        stg_student.college,
        stg_student.class,
        stg_student.grade,
        coalesce(stg_student.campus, '') AS campus
    FROM stg_student
    LEFT JOIN span ON span.student_key = stg_student.student_key AND span.place = 1
    LEFT ANTI JOIN gone ON gone.student_key = stg_student.student_key
    WHERE stg_student.boarder = 'boarder'
        AND stg_student.status IN ('enrolled', 'extended')
        AND coalesce(span.status, 'enrolled') IN ('enrolled', 'extended')
),

away AS (
    SELECT student_key
    FROM stg_leave_record
    WHERE begins_at < day_start($as_of) + INTERVAL '24' HOUR
        AND ends_at >= day_start($as_of) + INTERVAL '18' HOUR
        AND (returned_at IS NULL OR returned_at >= day_start($as_of) + INTERVAL '18' HOUR)

    UNION

    SELECT student_key
    FROM stg_internship_placement
    WHERE begins_on <= $as_of AND ends_on >= $as_of
),

-- Leave that was approved may not have come in yet: whoever reads a list is told how old what is known is.
leave_told AS (
    SELECT max(known_at) AS told_at
    FROM stg_leave_record
),

-- One row that says holiday is enough: the kinder reading, where rows of the calendar differ.
free_tonight AS (
    SELECT DISTINCT enrolled.campus, enrolled.grade
    FROM enrolled
    INNER JOIN stg_calendar_day AS calendar ON coalesce(calendar.campus, enrolled.campus) = enrolled.campus
        AND coalesce(calendar.cohort_scope, CAST(enrolled.grade AS VARCHAR)) = CAST(enrolled.grade AS VARCHAR)
    WHERE calendar.kind IN ('holiday', 'vacation')
        AND (calendar.date = $as_of OR calendar.date = $as_of + INTERVAL '1' DAY)
),

staying AS (
    SELECT DISTINCT student_key
    FROM stg_holiday_stay
    WHERE begins_on <= $as_of AND ends_on >= $as_of
),

-- Whoever looked says how it was then: what a gate tells later is news.
seen AS (
    SELECT student_key, checked_at AS seen_at
    FROM stg_night_check
    WHERE occurred_on = $as_of AND result = 'in'

    UNION ALL

    SELECT student_key, answered_at AS seen_at
    FROM int_absence_check
    WHERE occurred_on = $as_of AND result IN ('in_room', 'contacted')
),

found AS (
    SELECT student_key, max(seen_at) AS found_at
    FROM seen
    GROUP BY student_key
),

card AS (
    SELECT student_key, card_status, row_number() OVER (PARTITION BY student_key ORDER BY changed_at DESC, status_id DESC) AS place
    FROM stg_card_status
),

-- Leave and notice are of the whole night.
excused AS (
    SELECT student_key
    FROM int_absence_check
    WHERE occurred_on = $as_of AND result = 'excused'
)

SELECT
    enrolled.student_key,
    org_unit.unit_name AS college_name,
    enrolled.class,
    bed.building_id,
    bed.building_name,
    bed.floor,
    bed.room_id,
    int_building_closing.closes_minute,
    int_building_closing.closing_minute,
    away.student_key IS NOT NULL AS is_away,
    free_tonight.grade IS NOT NULL AND staying.student_key IS NULL AS is_free,
    coalesce(leave_told.told_at < day_start(CAST($as_of - INTERVAL '${leave_days}' DAY AS DATE)), TRUE) AS is_leave_old,
    coalesce(card.card_status = 'lost', FALSE) AS is_card_lost,
    excused.student_key IS NOT NULL AS is_excused,
    found.found_at
FROM enrolled
CROSS JOIN leave_told
INNER JOIN bed ON bed.student_key = enrolled.student_key AND bed.place = 1
LEFT JOIN stg_org_unit AS org_unit ON org_unit.unit_id = enrolled.college
LEFT JOIN int_building_closing ON int_building_closing.building_id = bed.building_id
LEFT JOIN away ON away.student_key = enrolled.student_key
LEFT JOIN free_tonight ON free_tonight.grade = enrolled.grade AND free_tonight.campus = enrolled.campus
LEFT JOIN staying ON staying.student_key = enrolled.student_key
LEFT JOIN card ON card.student_key = enrolled.student_key AND card.place = 1
LEFT JOIN excused ON excused.student_key = enrolled.student_key
LEFT JOIN found ON found.student_key = enrolled.student_key
WHERE bed.building_id IS NOT NULL

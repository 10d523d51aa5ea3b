/*---
kind         = "table"
about        = "Nights of the last four weeks of everybody who lives in a dormitory: back, absent, on leave, or unknown (夜间归寝)."
about_zh     = "近四周所有住宿生的每一夜：已归、未归、请假或未知。"
owner        = "logistics_security_office"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "public_safety", "cockpit"]

[settings]
curfew_minute = 1380     # 23:00, where the register of buildings says no other hour
gate_cov_min  = 0.8      # of the building's gate time from 18:00 to 02:00

[columns]
building_id      = { about = "Building.", about_zh = "楼栋。" }
floor            = { about = "Floor.", about_zh = "楼层。" }
room_id          = { about = "Room.", about_zh = "房间。" }
is_free          = { about = "The night belongs to a holiday or vacation or leads into one, and no stay was registered: whoever is away needs no leave.", about_zh = "当夜属于或临近节假日、假期，且没有登记留校：离校无需请假。" }
is_found_in      = { about = "Somebody found the student in the room: a night check (查寝在寝), or whoever looked after the list (核实在寝).", about_zh = "有人在房间里见到该生：查寝，或核实清单的人。" }
is_on_leave      = { about = "An approved leave covers the night.", about_zh = "当夜有已批准的请假。" }
is_gate_seen     = { about = "Whether the building's gates worked for at least four fifths of the evening.", about_zh = "该楼栋门禁当晚至少五分之四的时间正常。" }
is_back          = { about = "Last passage of the dormitory gate before 23:30, or half an hour after the building's own closing, however old, was an entry; or a terminal inside was used since; or there is evidence on campus after 22:00; or the next passage, already known, is an exit; or a night check found the student.", about_zh = "23:30（或该楼栋关门后半小时）之前最后一次经过宿舍门是进门，不论多久之前；或其后用过楼内终端；或22:00之后有校内记录；或已知的下一次通行是出门；或查寝见到该生。" }
is_absent        = { about = "Due back, gates seen, and nothing says that the student was in (未归).", about_zh = "应归、门禁正常，且没有任何记录说明该生在寝（未归）。" }
is_late          = { about = "Last entry after the building's gates close, or after 23:00 (晚归).", about_zh = "最后一次进门在楼栋关门之后，或在23:00之后（晚归）。" }
gate_minutes     = { unit = "minutes", about = "Gate time of the building that was seen, 18:00 to 02:00, both gates.", about_zh = "18:00至02:00该楼栋门禁被观测到的时间，合计两道门。" }
gate_minutes_due = { unit = "minutes", about = "Gate time that was due.", about_zh = "应观测的门禁时间。" }
---*/

WITH boarder AS (
    SELECT student_key, building_id, floor, room_id, grade, coalesce(campus, '') AS campus
    FROM dim_student
    WHERE as_of_on = $as_of AND boarder = 'boarder' AND is_enrolled AND building_id IS NOT NULL
),

night AS (
    SELECT DISTINCT occurred_on
    FROM int_device_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
),

building_gate AS (
    SELECT
        stg_device.building_id,
        night.occurred_on,
        sum(coalesce(int_device_day.night_minutes, 0)) AS gate_minutes,
        -- A gate that says itself that it is degraded may have missed who came in.
        sum(coalesce(int_device_day.well_night_minutes, 0)) AS well_minutes,
        sum(480) AS gate_minutes_due
    FROM stg_device
    CROSS JOIN night
    LEFT JOIN int_device_day ON int_device_day.device_id = stg_device.device_id AND int_device_day.occurred_on = night.occurred_on
    WHERE stg_device.kind = 'dorm'
    GROUP BY stg_device.building_id, night.occurred_on
),

-- Whoever lives in a building whose register says when it closes.
home AS (
    SELECT boarder.student_key, int_building_closing.closing_minute
    FROM boarder
    INNER JOIN int_building_closing ON int_building_closing.building_id = boarder.building_id
),

-- The last passage may be weeks old: whoever came in and did not leave is in, and so is whoever next goes out.
seen AS (
    SELECT
        int_student_day.student_key,
        int_student_day.occurred_on,
        CASE WHEN home.closing_minute IS NULL THEN int_student_day.dorm_last_direction
            WHEN home.closing_minute <= 1350 THEN int_student_day.dorm_direction_2230
            WHEN home.closing_minute = 1380 THEN int_student_day.dorm_direction_2300
            WHEN home.closing_minute = 1410 THEN int_student_day.dorm_direction_2330
            WHEN home.closing_minute = 1440 THEN int_student_day.dorm_direction_0000
            WHEN home.closing_minute = 1470 THEN int_student_day.dorm_direction_0030
            -- Later ones close with the campus day.
            ELSE int_student_day.dorm_direction_end END AS dorm_last_direction,
        int_student_day.dorm_first_direction,
        int_student_day.evening_last_in_minute,
        int_student_day.late_evidence_n
    FROM int_student_day
    LEFT JOIN home ON home.student_key = int_student_day.student_key
    WHERE int_student_day.occurred_on >= $as_of - INTERVAL '56' DAY
),

calendar AS (
    SELECT boarder.student_key, boarder.building_id, boarder.floor, boarder.room_id, boarder.grade, boarder.campus, night.occurred_on
    FROM boarder
    CROSS JOIN night
),

carried AS (
    SELECT
        coalesce(calendar.student_key, seen.student_key) AS student_key,
        coalesce(calendar.occurred_on, seen.occurred_on) AS occurred_on,
        calendar.building_id,
        calendar.floor,
        calendar.room_id,
        calendar.grade,
        calendar.campus,
        seen.evening_last_in_minute,
        coalesce(seen.late_evidence_n, 0) AS late_evidence_n,
        last_value(seen.dorm_last_direction) IGNORE NULLS OVER (
            PARTITION BY coalesce(calendar.student_key, seen.student_key)
            ORDER BY coalesce(calendar.occurred_on, seen.occurred_on)
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS last_direction,
        first_value(seen.dorm_first_direction) IGNORE NULLS OVER (
            PARTITION BY coalesce(calendar.student_key, seen.student_key)
            ORDER BY coalesce(calendar.occurred_on, seen.occurred_on)
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS next_direction
    FROM calendar
    FULL OUTER JOIN seen ON seen.student_key = calendar.student_key AND seen.occurred_on = calendar.occurred_on
),

away AS (
    SELECT DISTINCT calendar.student_key, calendar.occurred_on
    FROM calendar
    INNER JOIN stg_leave_record ON stg_leave_record.student_key = calendar.student_key
    WHERE stg_leave_record.begins_at < day_start(calendar.occurred_on) + INTERVAL '24' HOUR
        AND stg_leave_record.ends_at >= day_start(calendar.occurred_on) + INTERVAL '18' HOUR
        AND (stg_leave_record.returned_at IS NULL OR stg_leave_record.returned_at >= day_start(calendar.occurred_on) + INTERVAL '18' HOUR)

    UNION

    -- An internship is a leave of its own; it does not silence, it changes who keeps in touch.
    SELECT DISTINCT calendar.student_key, calendar.occurred_on
    FROM calendar
    INNER JOIN stg_internship_placement ON stg_internship_placement.student_key = calendar.student_key
    WHERE stg_internship_placement.begins_on <= calendar.occurred_on AND stg_internship_placement.ends_on >= calendar.occurred_on
),

-- Somebody looked: who was found in the room was in, whatever the gates say.
found_in AS (
    SELECT DISTINCT student_key, occurred_on
    FROM stg_night_check
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND result = 'in'

    UNION

    -- Whoever was missed by the list and found in the room by somebody who looked.
    SELECT student_key, occurred_on
    FROM int_absence_check
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND result = 'in_room'
),

-- Whoever registered to stay over a holiday is due back like on any other night.
staying AS (
    SELECT DISTINCT calendar.student_key, calendar.occurred_on
    FROM calendar
    INNER JOIN stg_holiday_stay ON stg_holiday_stay.student_key = calendar.student_key
    WHERE stg_holiday_stay.begins_on <= calendar.occurred_on AND stg_holiday_stay.ends_on >= calendar.occurred_on
),

-- Whoever goes home for a holiday goes the evening before.
free_night AS (
    SELECT
        date,
        grade,
        campus,
        kind IN ('holiday', 'vacation')
            OR coalesce(lead(kind) OVER (PARTITION BY grade, campus ORDER BY date), '') IN ('holiday', 'vacation') AS is_free
    FROM int_calendar_day
)

SELECT
    carried.student_key,
    carried.occurred_on,
    carried.building_id,
    carried.floor,
    carried.room_id,
    coalesce(free_night.is_free, FALSE) AND staying.student_key IS NULL AS is_free,
    found_in.student_key IS NOT NULL AS is_found_in,
    away.student_key IS NOT NULL AS is_on_leave,
    building_gate.well_minutes >= ${gate_cov_min} * building_gate.gate_minutes_due AS is_gate_seen,
    coalesce(carried.last_direction = 'in', FALSE) OR carried.late_evidence_n > 0 OR coalesce(carried.next_direction = 'out', FALSE)
        OR found_in.student_key IS NOT NULL AS is_back,
    away.student_key IS NULL
        AND (NOT coalesce(free_night.is_free, FALSE) OR staying.student_key IS NOT NULL)
        AND found_in.student_key IS NULL
        AND building_gate.well_minutes >= ${gate_cov_min} * building_gate.gate_minutes_due
        AND carried.last_direction = 'out'
        AND carried.late_evidence_n = 0
        AND NOT coalesce(carried.next_direction = 'out', FALSE) AS is_absent,
    coalesce(carried.evening_last_in_minute >= coalesce(int_building_closing.closes_minute, ${curfew_minute}), FALSE) AS is_late,
    carried.evening_last_in_minute,
    building_gate.gate_minutes,
    building_gate.gate_minutes_due
FROM carried
INNER JOIN building_gate ON building_gate.building_id = carried.building_id AND building_gate.occurred_on = carried.occurred_on
LEFT JOIN int_building_closing ON int_building_closing.building_id = carried.building_id
-- A school without a calendar has no free nights.
LEFT JOIN free_night ON free_night.date = carried.occurred_on
    AND free_night.grade = carried.grade AND free_night.campus = carried.campus
LEFT JOIN found_in ON found_in.student_key = carried.student_key AND found_in.occurred_on = carried.occurred_on
LEFT JOIN staying ON staying.student_key = carried.student_key AND staying.occurred_on = carried.occurred_on
LEFT JOIN away ON away.student_key = carried.student_key AND away.occurred_on = carried.occurred_on
WHERE carried.building_id IS NOT NULL

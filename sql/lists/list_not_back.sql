/*---
kind     = "list"
about    = "Enrolled students of whom nothing was seen since teaching went on after a vacation or a holiday of three days or more, without leave or internship, while devices worked (返校未到). Not seen is not away: reach the student first."
about_zh = "假期（三天以上）或寒暑假结束、开始上课后仍没有任何在校记录的在籍学生；已请假、实习的不列入，设备不在线的日子不计。没有记录不等于没有返校，请先联系本人。"
title_zh = "返校未到"
title_en = "Not yet back"
owner    = "student_affairs_office"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["public_safety"]

[settings]
free_min    = 3      # days of the break
break_days  = 21     # within which they are looked for
window_days = 14     # for so long after the return the list is kept
alive_share = 0.8    # of the day's device time: on other days nobody could be seen

[columns]
due_on           = { about = "First day on which the student was due back.", about_zh = "应返校的第一天。", class = "internal", title_zh = "应返校日", title_en = "Due back on" }
due_days         = { about = "Days since then on which devices worked.", about_zh = "其后设备正常的天数。", class = "trace", title_zh = "已过天数", title_en = "Days over" }
last_seen_on     = { about = "Last day with any evidence in ten weeks; empty without one.", about_zh = "十周内最后有任何记录的日子；没有时为空。", class = "trace", title_zh = "最近有记录日", title_en = "Last seen on" }
is_card_lost     = { about = "The card is reported lost, so that devices cannot see the student.", about_zh = "校园卡已挂失，设备因此看不到该生。", class = "trace", title_zh = "校园卡挂失", title_en = "Card lost" }
boarder          = { title_zh = "住宿类型", title_en = "Housing" }
college_name     = { title_zh = "学院", title_en = "College" }
class            = { title_zh = "班级", title_en = "Class" }
building_name    = { title_zh = "楼栋", title_en = "Building" }
room_id          = { title_zh = "房间", title_en = "Room" }
---*/

WITH last_free AS (
    SELECT campus, grade, max(date) AS free_on
    FROM int_calendar_day
    WHERE kind IN ('holiday', 'vacation') AND date < $as_of
    GROUP BY campus, grade
),

-- A break of one day sends nobody home.
longer AS (
    SELECT last_free.campus, last_free.grade, last_free.free_on
    FROM last_free
    INNER JOIN int_calendar_day ON int_calendar_day.campus = last_free.campus AND int_calendar_day.grade = last_free.grade
    WHERE int_calendar_day.kind IN ('holiday', 'vacation')
        AND int_calendar_day.date <= last_free.free_on
        AND int_calendar_day.date > last_free.free_on - INTERVAL '${break_days}' DAY
    GROUP BY last_free.campus, last_free.grade, last_free.free_on
    HAVING count(*) >= ${free_min}
),

due AS (
    SELECT longer.campus, longer.grade, longer.free_on, min(int_calendar_day.date) AS due_on
    FROM longer
    INNER JOIN int_calendar_day ON int_calendar_day.campus = longer.campus AND int_calendar_day.grade = longer.grade
    WHERE int_calendar_day.date > longer.free_on
        AND int_calendar_day.kind IN ('teaching', 'makeup', 'exam', 'military', 'registration')
    GROUP BY longer.campus, longer.grade, longer.free_on
    HAVING min(int_calendar_day.date) < $as_of AND min(int_calendar_day.date) >= $as_of - INTERVAL '${window_days}' DAY
),

-- Days on which devices could have seen somebody.
watched AS (
    SELECT day.occurred_on
    FROM (
        SELECT occurred_on, sum(alive_minutes) AS alive_minutes
        FROM int_device_day
        WHERE occurred_on >= $as_of - INTERVAL '${window_days}' DAY
        GROUP BY occurred_on
    ) AS day
    CROSS JOIN (SELECT count(DISTINCT device_id) AS device_n FROM stg_device) AS register
    WHERE day.alive_minutes >= ${alive_share} * 1440 * register.device_n
),

-- Whatever tells that somebody was there; a check-in of one's own does not. From the last free day on: most come back that evening.
seen AS (
    SELECT student_key, occurred_on
    FROM int_campus_day

    UNION ALL

    SELECT student_key, occurred_on
    FROM stg_class_attendance
    WHERE state IN ('present', 'late')

    UNION ALL

    SELECT student_key, occurred_on
    FROM stg_night_check
    WHERE result = 'in'

    UNION ALL

    SELECT student_key, occurred_on
    FROM stg_contact_record
    WHERE mode = 'one_to_one'
),

last_seen AS (
    SELECT student_key, max(occurred_on) AS last_seen_on
    FROM seen
    WHERE occurred_on >= $as_of - INTERVAL '70' DAY
    GROUP BY student_key
),

away AS (
    SELECT DISTINCT student_key
    FROM stg_internship_placement
    WHERE begins_on < $as_of AND ends_on >= $as_of - INTERVAL '1' DAY
),

card AS (
    SELECT student_key, card_status, row_number() OVER (PARTITION BY student_key ORDER BY changed_at DESC, status_id DESC) AS place
    FROM stg_card_status
),

-- Without one day on which devices worked nobody is listed.
known AS (
    SELECT due.campus, due.grade, due.free_on, due.due_on, count(*) AS due_days
    FROM due
    INNER JOIN watched ON watched.occurred_on >= due.due_on
    GROUP BY due.campus, due.grade, due.free_on, due.due_on
)

SELECT
    dim_student.student_key,
    known.due_on,
    known.due_days,
    last_seen.last_seen_on,
    coalesce(card.card_status = 'lost', FALSE) AS is_card_lost,
    dim_student.boarder,
    dim_student.college_name,
    dim_student.class,
    dim_student.building_name,
    dim_student.room_id
FROM dim_student
INNER JOIN known ON known.grade = dim_student.grade AND known.campus = coalesce(dim_student.campus, '')
LEFT JOIN last_seen ON last_seen.student_key = dim_student.student_key
LEFT JOIN card ON card.student_key = dim_student.student_key AND card.place = 1
LEFT ANTI JOIN away ON away.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
    AND dim_student.is_enrolled
    AND NOT dim_student.is_on_leave
    AND coalesce(last_seen.last_seen_on < known.free_on, TRUE)

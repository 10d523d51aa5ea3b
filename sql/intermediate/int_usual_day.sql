/*---
kind         = "table"
about        = "Teaching days of the last ten weeks without what explains them: leave, internship, a lost card; with the week they belong to and which devices could see (常态日). Who was away for more than thirty days outside vacations begins anew with the return."
about_zh     = "近十周的教学日中，没有请假、实习、丢卡等原因解释的日子；附所属的周和当时哪些设备能看到。假期以外离校超过三十天的，自返校起重新计算。"
owner        = "platform"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["trend_warning"]

[columns]
week_no         = { about = "Weeks before the as-of date; 0 is the last seven days.", about_zh = "基准日之前的第几周；0 为最近七天。" }
is_canteen_seen = { about = "Whether the canteens' terminals reported for most of the day; true where no device reports.", about_zh = "食堂终端当天大部分时间是否有上报；没有设备上报状态的学校记为是。" }
is_dorm_seen    = { about = "Whether the gates of the student's building reported for most of the evening.", about_zh = "学生所在楼栋的闸机当晚大部分时间是否有上报。" }
is_library_seen = { about = "Whether the libraries' gates reported for most of the day.", about_zh = "图书馆闸机当天大部分时间是否有上报。" }
---*/

WITH device AS (
    SELECT
        stg_device.kind,
        stg_device.building_id,
        int_device_day.occurred_on,
        sum(int_device_day.alive_minutes) AS alive_minutes,
        sum(int_device_day.night_minutes) AS night_minutes,
        sum(int_device_day.meal_minutes) AS meal_minutes,
        count(*) AS device_n
    FROM stg_device
    INNER JOIN int_device_day ON int_device_day.device_id = stg_device.device_id
    WHERE int_device_day.occurred_on >= $as_of - INTERVAL '70' DAY
    GROUP BY stg_device.kind, stg_device.building_id, int_device_day.occurred_on
),

-- A device that gave no sign of life all day has no row: what is due is counted from the register.
due AS (
    SELECT kind, building_id, count(DISTINCT device_id) AS device_n
    FROM stg_device
    GROUP BY kind, building_id
),

seen AS (
    SELECT
        device.kind,
        device.building_id,
        device.occurred_on,
        CASE device.kind
            WHEN 'canteen' THEN 10 * device.meal_minutes >= 8 * 840 * due.device_n
            WHEN 'dorm' THEN 10 * device.night_minutes >= 8 * 480 * due.device_n
            ELSE 10 * device.alive_minutes >= 8 * 1440 * due.device_n
        END AS is_seen
    FROM device
    INNER JOIN due ON due.kind = device.kind AND due.building_id IS NOT DISTINCT FROM device.building_id
),

reports AS (
    SELECT count(*) AS days_n
    FROM int_device_day
),

canteen AS (
    SELECT occurred_on, bool_and(is_seen) AS is_seen
    FROM seen
    WHERE kind = 'canteen'
    GROUP BY occurred_on
),

library AS (
    SELECT occurred_on, bool_and(is_seen) AS is_seen
    FROM seen
    WHERE kind = 'library'
    GROUP BY occurred_on
),

dorm AS (
    SELECT building_id, occurred_on, bool_and(is_seen) AS is_seen
    FROM seen
    WHERE kind = 'dorm'
    GROUP BY building_id, occurred_on
),

away AS (
    SELECT DISTINCT int_campus_day.student_key, int_campus_day.occurred_on
    FROM int_campus_day
    INNER JOIN stg_leave_record ON stg_leave_record.student_key = int_campus_day.student_key
    WHERE stg_leave_record.begins_at < day_start(int_campus_day.occurred_on) + INTERVAL '24' HOUR
        AND stg_leave_record.ends_at > day_start(int_campus_day.occurred_on)

    UNION

    SELECT DISTINCT int_campus_day.student_key, int_campus_day.occurred_on
    FROM int_campus_day
    INNER JOIN stg_internship_placement ON stg_internship_placement.student_key = int_campus_day.student_key
    WHERE stg_internship_placement.begins_on <= int_campus_day.occurred_on
        AND stg_internship_placement.ends_on >= int_campus_day.occurred_on
),

card AS (
    SELECT
        student_key,
        card_status,
        changed_at AS from_at,
        lead(changed_at) OVER (PARTITION BY student_key ORDER BY changed_at, status_id) AS to_at
    FROM stg_card_status
),

without_card AS (
    SELECT DISTINCT int_campus_day.student_key, int_campus_day.occurred_on
    FROM int_campus_day
    INNER JOIN card ON card.student_key = int_campus_day.student_key
    WHERE card.card_status = 'lost'
        AND card.from_at < day_start(int_campus_day.occurred_on) + INTERVAL '24' HOUR
        AND (card.to_at IS NULL OR card.to_at > day_start(int_campus_day.occurred_on))
)

SELECT
    day.student_key,
    day.occurred_on,
    (arrow_cast($as_of, 'Int32') - 1 - arrow_cast(day.occurred_on, 'Int32')) / 7 AS week_no,
    day.meal_n,
    day.breakfast_n,
    day.shower_minute,
    day.evening_last_in_minute,
    day.library_minutes,
    coalesce(canteen.is_seen, reports.days_n = 0) AS is_canteen_seen,
    coalesce(dorm.is_seen, FALSE) AS is_dorm_seen,
    coalesce(library.is_seen, FALSE) AS is_library_seen
FROM int_campus_day AS day
CROSS JOIN reports
INNER JOIN dim_student ON dim_student.student_key = day.student_key AND dim_student.as_of_on = $as_of
LEFT JOIN int_own_past ON int_own_past.student_key = day.student_key
LEFT JOIN canteen ON canteen.occurred_on = day.occurred_on
LEFT JOIN library ON library.occurred_on = day.occurred_on
LEFT JOIN dorm ON dorm.occurred_on = day.occurred_on AND dorm.building_id = dim_student.building_id
LEFT ANTI JOIN away ON away.student_key = day.student_key AND away.occurred_on = day.occurred_on
LEFT ANTI JOIN without_card ON without_card.student_key = day.student_key AND without_card.occurred_on = day.occurred_on
WHERE day.is_teaching AND day.is_on_campus AND day.occurred_on < $as_of AND dim_student.is_enrolled
    AND coalesce(day.occurred_on >= int_own_past.back_on, TRUE)

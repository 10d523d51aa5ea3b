/*---
kind         = "table"
about        = "Buildings, floors, classes, majors and colleges whose students' weeks moved together on a date: something about the place or the plan, to be looked at before any person; with what the platform knows of in these weeks that could be the cause (环境变化)."
about_zh     = "某日学生的周记录一起变化的楼栋、楼层、班级、专业和学院：先看场所或安排，再看个人；并附平台所知的、这几周里可能的原因。"
owner        = "logistics_office"
materialized = "as_of"
grain        = ["trend", "group_kind", "group_id"]
purpose      = ["cockpit"]

[settings]
open_min     = 3      # open requests of one category in a building: heating, water, lifts
canteen_min  = 0.5    # of the day's terminal time: below it a canteen was closed
gate_min     = 0.8    # of the day's device time in the building
placed_share = 0.2    # of the group in an internship

[columns]
trend      = { about = "What moved: file in sql/trend.", about_zh = "变化的是什么：sql/trend 中的文件。", class = "internal" }
group_kind = { about = "building, floor, class, major or college.", about_zh = "building 楼栋、floor 楼层、class 班级、major 专业或 college 学院。", class = "internal" }
group_id   = { about = "Which one.", about_zh = "是哪一个。", class = "internal" }
since_on   = { about = "First day of the week since which it lasts.", about_zh = "变化开始的那一周的第一天。", class = "internal" }
student_n  = { about = "Students of the group with a value; never fewer than ten.", about_zh = "该群体有数值的学生数；从不少于十人。", class = "internal" }
causes     = { about = "Shared causes that are known, parted by commas: campus_event (cut water or power, weather, closure, large event), exam, timetable (moved teaching days), holiday, canteen_closed, device_outage, internship, requests (repairs that gather in the building); empty if nothing is known. A hint, no proof.", about_zh = "已知的共同原因，以逗号分隔：campus_event（停水停电、天气、封闭、大型活动）、exam 考试、timetable 调课、holiday 假期、canteen_closed 食堂停业、device_outage 设备故障、internship 实习、requests（楼内报修聚集）；不知道时为空。是提示，不是证明。", class = "internal" }
shift      = { about = "How far the middle of the group moved, in robust deviations of the students' own weeks.", about_zh = "群体中位数变化了多少，以学生自己各周的稳健标准差计。", class = "internal" }
---*/

WITH notice AS (
    SELECT
        trend,
        group_kind,
        group_id,
        CASE WHEN group_kind IN ('building', 'floor') THEN split_part(group_id, '/', 1) END AS building_id,
        max(since_on) AS since_on,
        max(n) AS student_n,
        max(shift) AS shift
    FROM warning_group
    WHERE as_of_on = $as_of
    GROUP BY trend, group_kind, group_id
),

calendar AS (
    SELECT notice.trend, notice.group_kind, notice.group_id,
        CASE WHEN day.kind = 'exam' THEN 'exam' WHEN day.kind = 'makeup' THEN 'timetable' ELSE 'holiday' END AS cause
    FROM notice
    INNER JOIN stg_calendar_day AS day ON day.date >= notice.since_on AND day.date < $as_of
    WHERE day.kind IN ('exam', 'makeup', 'holiday', 'vacation')
),

event AS (
    SELECT notice.trend, notice.group_kind, notice.group_id, 'campus_event' AS cause
    FROM notice
    INNER JOIN stg_campus_event
        ON campus_on(stg_campus_event.begins_at) < $as_of AND campus_on(stg_campus_event.ends_at) >= notice.since_on
    WHERE stg_campus_event.building_id IS NULL OR stg_campus_event.building_id = notice.building_id
),

canteen AS (
    SELECT stg_device.place, int_device_day.occurred_on
    FROM stg_device
    INNER JOIN int_device_day ON int_device_day.device_id = stg_device.device_id
    WHERE stg_device.kind = 'canteen' AND int_device_day.occurred_on >= $as_of - INTERVAL '70' DAY
    GROUP BY stg_device.place, int_device_day.occurred_on
    HAVING sum(int_device_day.meal_minutes) < ${canteen_min} * 840 * count(*)
),

closed AS (
    SELECT notice.trend, notice.group_kind, notice.group_id, 'canteen_closed' AS cause
    FROM notice
    INNER JOIN canteen ON canteen.occurred_on >= notice.since_on AND canteen.occurred_on < $as_of
),

gate AS (
    SELECT stg_device.building_id, int_device_day.occurred_on
    FROM stg_device
    INNER JOIN int_device_day ON int_device_day.device_id = stg_device.device_id
    WHERE stg_device.kind = 'dorm' AND int_device_day.occurred_on >= $as_of - INTERVAL '70' DAY
    GROUP BY stg_device.building_id, int_device_day.occurred_on
    HAVING sum(int_device_day.alive_minutes) < ${gate_min} * 1440 * count(*)
),

outage AS (
    SELECT notice.trend, notice.group_kind, notice.group_id, 'device_outage' AS cause
    FROM notice
    INNER JOIN gate ON gate.building_id = notice.building_id
    WHERE gate.occurred_on >= notice.since_on AND gate.occurred_on < $as_of
),

gathered AS (
    SELECT DISTINCT building_id
    FROM (
        SELECT building_id, category, count(*) AS open_n
        FROM fct_ticket
        WHERE state = 'open' AND building_id IS NOT NULL
        GROUP BY building_id, category
        HAVING count(*) >= ${open_min}
    ) AS category
),

request AS (
    SELECT notice.trend, notice.group_kind, notice.group_id, 'requests' AS cause
    FROM notice
    INNER JOIN gathered ON gathered.building_id = notice.building_id
),

member AS (
    SELECT student_key, 'class' AS group_kind, class AS group_id FROM dim_student WHERE as_of_on = $as_of AND is_enrolled
    UNION ALL
    SELECT student_key, 'major', major FROM dim_student WHERE as_of_on = $as_of AND is_enrolled
    UNION ALL
    SELECT student_key, 'college', college FROM dim_student WHERE as_of_on = $as_of AND is_enrolled
),

interned AS (
    SELECT DISTINCT student_key
    FROM stg_internship_placement
    WHERE begins_on < $as_of AND ends_on >= $as_of - INTERVAL '28' DAY
),

placed AS (
    SELECT notice.trend, notice.group_kind, notice.group_id, 'internship' AS cause
    FROM notice
    INNER JOIN member ON member.group_kind = notice.group_kind AND member.group_id = notice.group_id
    LEFT JOIN interned ON interned.student_key = member.student_key
    GROUP BY notice.trend, notice.group_kind, notice.group_id
    HAVING count(interned.student_key) >= ${placed_share} * count(*)
),

known AS (
    SELECT * FROM calendar
    UNION ALL
    SELECT * FROM event
    UNION ALL
    SELECT * FROM closed
    UNION ALL
    SELECT * FROM outage
    UNION ALL
    SELECT * FROM request
    UNION ALL
    SELECT * FROM placed
)

SELECT
    notice.trend,
    notice.group_kind,
    notice.group_id,
    max(notice.since_on) AS since_on,
    max(notice.student_n) AS student_n,
    concat_ws(',',
        max(CASE WHEN known.cause = 'campus_event' THEN known.cause END),
        max(CASE WHEN known.cause = 'exam' THEN known.cause END),
        max(CASE WHEN known.cause = 'timetable' THEN known.cause END),
        max(CASE WHEN known.cause = 'holiday' THEN known.cause END),
        max(CASE WHEN known.cause = 'canteen_closed' THEN known.cause END),
        max(CASE WHEN known.cause = 'device_outage' THEN known.cause END),
        max(CASE WHEN known.cause = 'internship' THEN known.cause END),
        max(CASE WHEN known.cause = 'requests' THEN known.cause END)) AS causes,
    max(notice.shift) AS shift
FROM notice
LEFT JOIN known ON known.trend = notice.trend AND known.group_kind = notice.group_kind AND known.group_id = notice.group_id
GROUP BY notice.trend, notice.group_kind, notice.group_id

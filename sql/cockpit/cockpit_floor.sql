/*---
kind         = "table"
about        = "Building by floor last night: return, open repairs, devices; hygiene, patrols, participation and requests of four weeks (楼栋×楼层). Never a care figure; floors below five due are suppressed."
about_zh     = "昨晚各楼栋各楼层的归寝、未修完的报修和设备，以及近四周的卫生、巡查、活动参与和诉求。从不含关怀数字；应归不足五人的楼层不显示。"
owner        = "logistics_security_office"
materialized = "as_of"
grain        = ["building_id", "floor"]
purpose      = ["cockpit"]

[columns]
building_id        = { about = "Building.", about_zh = "楼栋编号。", class = "internal" }
building_name      = { about = "Its name.", about_zh = "楼栋名称。", class = "internal" }
floor              = { about = "Floor.", about_zh = "楼层。", class = "internal" }
due_n              = { about = "Boarders due back.", about_zh = "应归住宿生数。", class = "internal" }
back_n             = { about = "Of these, back.", about_zh = "其中已归的。", class = "internal" }
repair_open_n      = { about = "Open repair requests of the floor.", about_zh = "该楼层未办结的报修数。", class = "internal" }
device_online_rate = { unit = "share", about = "Device time of the building's gates seen on the day.", about_zh = "当天该楼栋门禁的在线时间占比。", class = "internal" }
resident_n         = { about = "Who lives there; empty below five.", about_zh = "住宿人数；不足五人时为空。", class = "internal" }
hygiene_n          = { about = "Hygiene inspections of rooms in 28 days.", about_zh = "28天内房间卫生检查次数。", class = "internal" }
hygiene_score      = { unit = "points", about = "Mean score of the rooms that were inspected; empty below five rooms.", about_zh = "检查过的房间的平均分；不足五间时为空。", class = "internal" }
patrol_n           = { about = "Safety patrols of the floor in 28 days (安全巡查).", about_zh = "28天内该楼层的安全巡查次数。", class = "internal" }
finding_open_n     = { about = "Of their findings, not yet mended.", about_zh = "其中发现而尚未整改的问题数。", class = "internal" }
participant_n      = { about = "Residents who took part in an activity within 28 days; empty if they, or those who did not, are one to four.", about_zh = "28天内参加过活动的住宿生数；参加或未参加的为一至四人时为空。", class = "internal" }
request_n          = { about = "Requests of residents in 28 days; empty for one to four.", about_zh = "28天内住宿生的诉求数；一至四件时为空。", class = "internal" }
request_density    = { unit = "share", about = "Requests over residents.", about_zh = "诉求数除以住宿人数。", class = "internal" }
status             = { about = "ok, suppressed, or insufficient where the gates were not seen.", about_zh = "ok 正常、suppressed 隐去，或 insufficient 门禁未能观测。", class = "internal" }
---*/

WITH floor AS (
    SELECT DISTINCT building_id, floor FROM stg_room
),

night AS (
    SELECT
        building_id,
        floor,
        sum(CASE WHEN NOT is_on_leave AND is_gate_seen AND (is_back OR NOT is_free) THEN 1 ELSE 0 END) AS due_n,
        sum(CASE WHEN NOT is_on_leave AND is_gate_seen AND is_back THEN 1 ELSE 0 END) AS back_n
    FROM int_night
    WHERE occurred_on = $as_of - INTERVAL '1' DAY
    GROUP BY building_id, floor
),

repair AS (
    SELECT stg_room.building_id, stg_room.floor, count(*) AS repair_open_n
    FROM fct_ticket
    INNER JOIN (SELECT DISTINCT ticket_id, room_id FROM stg_ticket WHERE room_id IS NOT NULL) AS place ON place.ticket_id = fct_ticket.ticket_id
    INNER JOIN stg_room ON stg_room.room_id = place.room_id
    WHERE fct_ticket.state = 'open' AND fct_ticket.category = 'dorm_repair'
    GROUP BY stg_room.building_id, stg_room.floor
),

hygiene AS (
    SELECT
        stg_room.building_id,
        stg_room.floor,
        count(*) AS hygiene_n,
        count(DISTINCT stg_room.room_id) AS room_n,
        CAST(sum(stg_hygiene_inspection.score) AS DECIMAL(18, 6)) / count(*) AS hygiene_score
    FROM stg_hygiene_inspection
    INNER JOIN stg_room ON stg_room.room_id = stg_hygiene_inspection.room_id
    WHERE stg_hygiene_inspection.occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY stg_room.building_id, stg_room.floor
),

patrol AS (
    SELECT
        building_id,
        floor,
        count(*) AS patrol_n,
        sum(CASE WHEN result = 'finding' AND coalesce(mended_at >= day_start($as_of), TRUE) THEN 1 ELSE 0 END) AS finding_open_n
    FROM stg_safety_patrol
    WHERE campus_on(patrolled_at) >= $as_of - INTERVAL '28' DAY AND floor IS NOT NULL
    GROUP BY building_id, floor
),

resident AS (
    SELECT student_key, building_id, floor
    FROM dim_student
    WHERE as_of_on = $as_of AND is_enrolled AND building_id IS NOT NULL
),

took_part AS (
    SELECT DISTINCT student_key
    FROM fct_participation
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
),

asked AS (
    SELECT student_key, count(*) AS request_n
    FROM fct_ticket
    WHERE submitted_at >= day_start(CAST($as_of - INTERVAL '28' DAY AS DATE)) AND student_key IS NOT NULL
    GROUP BY student_key
),

people AS (
    SELECT
        resident.building_id,
        resident.floor,
        count(*) AS resident_n,
        sum(CASE WHEN took_part.student_key IS NOT NULL THEN 1 ELSE 0 END) AS participant_n,
        sum(coalesce(asked.request_n, 0)) AS request_n
    FROM resident
    LEFT JOIN took_part ON took_part.student_key = resident.student_key
    LEFT JOIN asked ON asked.student_key = resident.student_key
    GROUP BY resident.building_id, resident.floor
),

device AS (
    SELECT
        stg_device.building_id,
        CAST(sum(coalesce(int_device_day.alive_minutes, 0)) AS DECIMAL(18, 6)) / sum(1440) AS device_online_rate
    FROM stg_device
    LEFT JOIN int_device_day ON int_device_day.device_id = stg_device.device_id AND int_device_day.occurred_on = $as_of - INTERVAL '1' DAY
    WHERE stg_device.kind = 'dorm'
    GROUP BY stg_device.building_id
)

SELECT
    floor.building_id,
    stg_building.building_name,
    floor.floor,
    CASE WHEN night.due_n >= ${k_default} THEN night.due_n END AS due_n,
    CASE WHEN night.due_n >= ${k_default} THEN night.back_n END AS back_n,
    coalesce(repair.repair_open_n, 0) AS repair_open_n,
    CAST(device.device_online_rate AS DOUBLE) AS device_online_rate,
    CASE WHEN people.resident_n >= ${k_default} THEN people.resident_n END AS resident_n,
    coalesce(hygiene.hygiene_n, 0) AS hygiene_n,
    CASE WHEN hygiene.room_n >= ${k_default} THEN CAST(hygiene.hygiene_score AS DOUBLE) END AS hygiene_score,
    coalesce(patrol.patrol_n, 0) AS patrol_n,
    coalesce(patrol.finding_open_n, 0) AS finding_open_n,
    CASE WHEN (people.participant_n = 0 OR people.participant_n >= ${k_default})
        AND (people.participant_n = people.resident_n OR people.resident_n - people.participant_n >= ${k_default})
        AND people.resident_n >= ${k_default} THEN people.participant_n END AS participant_n,
    CASE WHEN people.resident_n >= ${k_default} AND (people.request_n = 0 OR people.request_n >= ${k_default})
        THEN people.request_n END AS request_n,
    CASE WHEN people.resident_n >= ${k_default} AND (people.request_n = 0 OR people.request_n >= ${k_default})
        THEN CAST(people.request_n AS DOUBLE) / people.resident_n END AS request_density,
    CASE WHEN night.due_n >= ${k_default} THEN 'ok' WHEN coalesce(night.due_n, 0) = 0 THEN 'insufficient' ELSE 'suppressed' END AS status
FROM floor
LEFT JOIN stg_building ON stg_building.building_id = floor.building_id
LEFT JOIN night ON night.building_id = floor.building_id AND night.floor = floor.floor
LEFT JOIN repair ON repair.building_id = floor.building_id AND repair.floor = floor.floor
LEFT JOIN device ON device.building_id = floor.building_id
LEFT JOIN hygiene ON hygiene.building_id = floor.building_id AND hygiene.floor = floor.floor
LEFT JOIN patrol ON patrol.building_id = floor.building_id AND patrol.floor = floor.floor
LEFT JOIN people ON people.building_id = floor.building_id AND people.floor = floor.floor

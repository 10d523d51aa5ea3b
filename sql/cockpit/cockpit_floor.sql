/*---
kind         = "table"
about        = "Building by floor last night: return, open repairs, devices (楼栋×楼层). Never a care figure; floors below five due are suppressed."
owner        = "logistics_security_office"
materialized = "as_of"
grain        = ["building_id", "floor"]
purpose      = ["cockpit"]

[columns]
building_id        = { about = "Building.", class = "internal" }
building_name      = { about = "Its name.", class = "internal" }
floor              = { about = "Floor.", class = "internal" }
due_n              = { about = "Boarders due back.", class = "internal" }
back_n             = { about = "Of these, back.", class = "internal" }
repair_open_n      = { about = "Open repair requests of the floor.", class = "internal" }
device_online_rate = { unit = "share", about = "Device time of the building's gates seen on the day.", class = "internal" }
status             = { about = "ok, suppressed, or insufficient where the gates were not seen.", class = "internal" }
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
    CASE WHEN night.due_n >= ${k_default} THEN 'ok' WHEN coalesce(night.due_n, 0) = 0 THEN 'insufficient' ELSE 'suppressed' END AS status
FROM floor
LEFT JOIN stg_building ON stg_building.building_id = floor.building_id
LEFT JOIN night ON night.building_id = floor.building_id AND night.floor = floor.floor
LEFT JOIN repair ON repair.building_id = floor.building_id AND repair.floor = floor.floor
LEFT JOIN device ON device.building_id = floor.building_id

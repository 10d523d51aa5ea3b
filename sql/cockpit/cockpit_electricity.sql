/*---
kind         = "table"
about        = "Safe use of electricity by building and floor: breaches that were found in 120 days, and what a room uses in a week (用电安全). About places, never about who lives in a room; floor 0 is the whole building."
owner        = "logistics_security_office"
materialized = "as_of"
grain        = ["building_id", "floor"]
purpose      = ["public_safety"]

[settings]
window_days = 120
heavy_wh    = 40000   # a room and week: beyond it somebody looks at what is plugged in

[columns]
building_id   = { about = "Building.", class = "internal" }
building_name = { about = "Its name.", class = "internal" }
floor         = { about = "Floor; 0 for the whole building.", class = "internal" }
room_n        = { about = "Rooms.", class = "internal" }
violation_n   = { about = "Breaches of the rules of electricity found in 120 days (违章用电); empty for one to four.", class = "internal" }
appliance_n   = { about = "Of these, forbidden appliances; empty for one to four.", class = "internal" }
metered_n     = { about = "Rooms whose meter was read in the last 14 days.", class = "internal" }
used_wh       = { unit = "Wh", about = "Median of what a room used between two readings, in 28 days; empty below five rooms.", class = "internal" }
heavy_room_n  = { about = "Rooms that used more than forty kilowatt-hours between two readings of the last 14 days; empty for one to four.", class = "internal" }
status        = { about = "ok, suppressed, or insufficient where no meter was read.", class = "internal" }
---*/

WITH room AS (
    SELECT room_id, building_id, floor FROM stg_room
    UNION ALL
    SELECT room_id, building_id, 0 AS floor FROM stg_room
),

violation AS (
    SELECT
        room.building_id,
        room.floor,
        count(*) AS violation_n,
        sum(CASE WHEN stg_violation_event.kind = 'appliance' THEN 1 ELSE 0 END) AS appliance_n
    FROM stg_violation_event
    INNER JOIN room ON room.room_id = stg_violation_event.room_id
    WHERE stg_violation_event.occurred_on >= $as_of - INTERVAL '${window_days}' DAY
    GROUP BY room.building_id, room.floor
),

power AS (
    SELECT
        room.building_id,
        room.floor,
        count(DISTINCT CASE WHEN stg_room_power_reading.read_on >= $as_of - INTERVAL '14' DAY THEN room.room_id END) AS metered_n,
        count(DISTINCT CASE WHEN stg_room_power_reading.read_on >= $as_of - INTERVAL '14' DAY
            AND stg_room_power_reading.used_wh > ${heavy_wh} THEN room.room_id END) AS heavy_room_n,
        median(CAST(stg_room_power_reading.used_wh AS DOUBLE)) AS used_wh
    FROM stg_room_power_reading
    INNER JOIN room ON room.room_id = stg_room_power_reading.room_id
    WHERE stg_room_power_reading.read_on >= $as_of - INTERVAL '28' DAY
    GROUP BY room.building_id, room.floor
),

place AS (
    SELECT building_id, floor, count(*) AS room_n
    FROM room
    GROUP BY building_id, floor
)

SELECT
    place.building_id,
    stg_building.building_name,
    place.floor,
    place.room_n,
    CASE WHEN coalesce(violation.violation_n, 0) = 0 THEN 0 WHEN violation.violation_n >= ${k_default} THEN violation.violation_n END AS violation_n,
    CASE WHEN coalesce(violation.appliance_n, 0) = 0 THEN 0 WHEN violation.appliance_n >= ${k_default} THEN violation.appliance_n END AS appliance_n,
    coalesce(power.metered_n, 0) AS metered_n,
    CASE WHEN power.metered_n >= ${k_default} THEN power.used_wh END AS used_wh,
    CASE WHEN power.heavy_room_n = 0 OR power.heavy_room_n >= ${k_default} THEN power.heavy_room_n END AS heavy_room_n,
    CASE WHEN power.metered_n >= ${k_default} THEN 'ok' WHEN coalesce(power.metered_n, 0) = 0 THEN 'insufficient' ELSE 'suppressed' END AS status
FROM place
LEFT JOIN stg_building ON stg_building.building_id = place.building_id
LEFT JOIN violation ON violation.building_id = place.building_id AND violation.floor = place.floor
LEFT JOIN power ON power.building_id = place.building_id AND power.floor = place.floor

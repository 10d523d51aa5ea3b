/*---
kind         = "table"
about        = "Safe use of electricity by building and floor: breaches that were found in 120 days, and what a room uses in a week (用电安全). About places, never about who lives in a room; floor 0 is the whole building, from which no hidden floor can be worked out."
about_zh     = "各楼栋各楼层的用电安全：近120天查到的违规，以及每间房一周的用电量。只关乎场所，从不关乎谁住在里面；0层为整栋楼，从中推算不出被隐去的楼层。"
owner        = "logistics_security_office"
materialized = "as_of"
grain        = ["building_id", "floor"]
purpose      = ["public_safety"]

[settings]
window_days = 120
heavy_wh    = 40000   # a room and week: beyond it somebody looks at what is plugged in

[columns]
building_id   = { about = "Building.", about_zh = "楼栋编号。", class = "internal" }
building_name = { about = "Its name.", about_zh = "楼栋名称。", class = "internal" }
floor         = { about = "Floor; 0 for the whole building.", about_zh = "楼层；0为整栋楼。", class = "internal" }
room_n        = { about = "Rooms.", about_zh = "房间数。", class = "internal" }
violation_n   = { about = "Breaches of the rules of electricity found in 120 days (违章用电); empty for one to four, and where these would follow from the building.", about_zh = "120天内查到的违章用电；一至四起时为空，能由整栋楼推算出时也为空。", class = "internal" }
appliance_n   = { about = "Of these, forbidden appliances; empty for one to four.", about_zh = "其中使用违禁电器的；一至四起时为空。", class = "internal" }
metered_n     = { about = "Rooms whose meter was read in the last 14 days.", about_zh = "最近14天抄过电表的房间数。", class = "internal" }
used_wh       = { unit = "Wh", about = "Median of what a room used between two readings, in 28 days; empty below five rooms.", about_zh = "28天内两次抄表之间房间用电量的中位数；不足五间时为空。", class = "internal" }
heavy_room_n  = { about = "Rooms that used more than forty kilowatt-hours between two readings of the last 14 days; empty for one to four.", about_zh = "最近14天两次抄表之间用电超过四十千瓦时的房间数；一至四间时为空。", class = "internal" }
status        = { about = "ok, suppressed, or insufficient where no meter was read.", about_zh = "ok 正常、suppressed 隐去，或 insufficient 没有抄表。", class = "internal" }
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
),

-- One figure a row, so that what is told of floors beside their building is decided in one place for all of them.
cell AS (
    SELECT place.building_id, place.floor, 'violation' AS figure, coalesce(violation.violation_n, 0) AS n
    FROM place
    LEFT JOIN violation ON violation.building_id = place.building_id AND violation.floor = place.floor

    UNION ALL

    SELECT place.building_id, place.floor, 'appliance' AS figure, coalesce(violation.appliance_n, 0) AS n
    FROM place
    LEFT JOIN violation ON violation.building_id = place.building_id AND violation.floor = place.floor

    UNION ALL

    SELECT building_id, floor, 'heavy' AS figure, heavy_room_n AS n
    FROM power
),

marked AS (
    SELECT *, floor <> 0 AS is_part, n BETWEEN 1 AND ${k_default} - 1 AS is_small
    FROM cell
),

ranked AS (
    SELECT
        *,
        sum(CASE WHEN is_part AND is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN is_part AND is_small THEN n ELSE 0 END) OVER own AS small_sum,
        sum(CASE WHEN is_part AND NOT is_small THEN 1 ELSE 0 END) OVER own AS other_n,
        sum(CASE WHEN is_part THEN 0 ELSE n END) OVER own AS whole_n,
        row_number() OVER (PARTITION BY building_id, figure
            ORDER BY CASE WHEN is_part AND NOT is_small THEN 0 ELSE 1 END, CASE WHEN n = 0 THEN 1 ELSE 0 END, n, floor) AS place
    FROM marked
    WINDOW own AS (PARTITION BY building_id, figure)
),

-- One hidden floor among told ones follows from the building, and so do several of one each: then the smallest of the others is
-- hidden as well, or the building where there is no other. Of a building that is hidden itself nothing follows.
told AS (
    SELECT
        building_id,
        floor,
        max(CASE WHEN figure = 'violation' THEN n END) AS violation_n,
        max(CASE WHEN figure = 'appliance' THEN n END) AS appliance_n,
        max(CASE WHEN figure = 'heavy' THEN n END) AS heavy_room_n
    FROM ranked
    WHERE NOT is_small
        AND NOT (whole_n >= ${k_default} AND (small_n = 1 OR (small_n > 1 AND small_sum = small_n))
            AND CASE WHEN is_part THEN place = 1 ELSE other_n = 0 END)
    GROUP BY building_id, floor
)

SELECT
    place.building_id,
    stg_building.building_name,
    place.floor,
    place.room_n,
    told.violation_n,
    told.appliance_n,
    coalesce(power.metered_n, 0) AS metered_n,
    CASE WHEN power.metered_n >= ${k_default} THEN power.used_wh END AS used_wh,
    told.heavy_room_n,
    CASE WHEN power.metered_n >= ${k_default} THEN 'ok' WHEN coalesce(power.metered_n, 0) = 0 THEN 'insufficient' ELSE 'suppressed' END AS status
FROM place
LEFT JOIN stg_building ON stg_building.building_id = place.building_id
LEFT JOIN told ON told.building_id = place.building_id AND told.floor = place.floor
LEFT JOIN power ON power.building_id = place.building_id AND power.floor = place.floor

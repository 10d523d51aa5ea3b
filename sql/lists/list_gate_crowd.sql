/*---
kind     = "list"
live     = true
tell     = true
about    = "Gates that many people entered by within ten minutes of the open day, against the gate's own past at that hour (门口聚集). A number at a place and nobody's name: what it is has to be looked at."
about_zh = "当日十分钟内进入人次明显多于该门同一时段以往的门口。只有地点和人次，没有任何人的信息；是什么情况需到现场看。"
title_zh = "门口聚集"
title_en = "Crowds at gates"
owner    = "logistics_security_office"
grain    = ["device_id", "slot"]
purpose  = ["public_safety"]

[settings]
crowd_min  = 60    # entries in ten minutes; fewer are no crowd at any gate
times_min  = 3     # as many as the most that the gate had at that hour in four weeks
days_min   = 7     # a gate with a shorter past has no usual yet
flood_min  = 600   # more than one a second passes no gate: the device is out of order, see list_gate_fault
shown      = "2 hours"

[columns]
device_id = { about = "Gate.", about_zh = "闸机。", class = "internal", title_zh = "门", title_en = "Gate" }
slot      = { about = "Ten minutes of the day, counted from 00:00.", about_zh = "一天中的第几个十分钟，自 00:00 起算。", class = "internal" }
kind      = { about = "Kind of place it serves.", about_zh = "服务于哪类场所。", class = "internal", title_zh = "类别", title_en = "Kind" }
place     = { about = "Where it stands.", about_zh = "所在位置。", class = "internal", title_zh = "位置", title_en = "Place" }
in_n      = { about = "Entries in these ten minutes.", about_zh = "这十分钟内的进入次数。", class = "internal", title_zh = "进入人次", title_en = "Entries" }
usual_n   = { about = "The most at that hour on any day of the four weeks before.", about_zh = "此前四周任何一天同一时段的最大值。", class = "internal", title_zh = "以往最多", title_en = "Most before" }
from_at   = { about = "Beginning of the ten minutes.", about_zh = "这十分钟的开始。", class = "internal", title_zh = "时间", title_en = "Time" }
until_at  = { about = "Until when it is shown.", about_zh = "显示到何时为止。", class = "internal" }
---*/

WITH past AS (
    SELECT device_id, slot, max(in_n) AS most_n
    FROM int_gate_slot
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND occurred_on < $as_of
    GROUP BY device_id, slot
),

watched AS (
    SELECT device_id, count(DISTINCT occurred_on) AS days_n
    FROM int_gate_slot
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY AND occurred_on < $as_of
    GROUP BY device_id
),

-- A lecture that ends ten minutes later than last week is no crowd: the slots beside count as the same hour.
busy AS (
    SELECT today.device_id, today.slot, today.in_n, coalesce(max(past.most_n), 0) AS usual_n
    FROM int_gate_slot AS today
    LEFT JOIN past ON past.device_id = today.device_id AND past.slot BETWEEN today.slot - 1 AND today.slot + 1
    WHERE today.occurred_on = $as_of AND today.in_n >= ${crowd_min} AND today.passage_n < ${flood_min}
    GROUP BY today.device_id, today.slot, today.in_n
)

SELECT
    busy.device_id,
    busy.slot,
    stg_device.kind,
    stg_device.place,
    busy.in_n,
    busy.usual_n,
    -- Campus days begin at 04:00: minute 240; what is earlier belongs to the morning after.
    arrow_cast(CAST(day_start($as_of) AS BIGINT) + (busy.slot * 10 + CASE WHEN busy.slot < 24 THEN 1200 ELSE -240 END) * 60000000, 'Timestamp(Microsecond, Some("UTC"))') AS from_at,
    arrow_cast(CAST(day_start($as_of) AS BIGINT) + (busy.slot * 10 + CASE WHEN busy.slot < 24 THEN 1200 ELSE -240 END) * 60000000, 'Timestamp(Microsecond, Some("UTC"))') + CAST(${shown} AS INTERVAL) AS until_at
FROM busy
INNER JOIN watched ON watched.device_id = busy.device_id
LEFT JOIN stg_device ON stg_device.device_id = busy.device_id
WHERE watched.days_n >= ${days_min} AND busy.in_n >= ${times_min} * busy.usual_n

/*---
kind     = "list"
about    = "Devices that gave no sign of life for more than four hours of the day before (设备离线). A silent gate is a fault of the gate: nobody behind it is absent."
about_zh = "前一日有四小时以上没有心跳的设备。闸机不在线是设备故障：其后无人因此算作缺勤。"
title_zh = "设备离线"
title_en = "Devices offline"
owner    = "network_center"
grain    = ["device_id"]
purpose  = ["operations"]

[settings]
alive_min = 1200   # of 1,440 minutes

[columns]
device_id     = { title_zh = "设备", title_en = "Device" }
kind          = { title_zh = "类别", title_en = "Kind" }
place         = { title_zh = "位置", title_en = "Place" }
alive_minutes = { about = "Minutes of the day before in which it reported.", about_zh = "前一日有心跳的分钟数。", title_zh = "在线分钟", title_en = "Minutes online" }
last_beat_at  = { about = "Last sign of life within 28 days.", about_zh = "28天内最后一次心跳。", title_zh = "最近心跳", title_en = "Last sign of life" }
---*/

WITH day AS (
    SELECT
        device_id,
        sum(CASE WHEN occurred_on = $as_of - INTERVAL '1' DAY THEN alive_minutes ELSE 0 END) AS alive_minutes,
        max(last_beat_at) AS last_beat_at
    FROM int_device_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY device_id
)

SELECT
    stg_device.device_id,
    stg_device.kind,
    stg_device.place,
    coalesce(day.alive_minutes, 0) AS alive_minutes,
    day.last_beat_at
FROM stg_device
LEFT JOIN day ON day.device_id = stg_device.device_id
WHERE coalesce(day.alive_minutes, 0) < ${alive_min}

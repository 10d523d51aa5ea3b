/*---
kind         = "table"
about        = "How much of one campus day each device was alive, as it was known (设备日在线)."
about_zh     = "每台设备在每个校园日有多长时间在线，以当时所知为准。"
owner        = "network_center"
materialized = "student_day"
live         = true
grain        = ["device_id", "occurred_on"]
purpose      = ["portrait", "trend_warning", "cockpit"]

[columns]
device_id      = { about = "Device.", about_zh = "设备。", class = "internal" }
occurred_on    = { about = "Campus day.", about_zh = "校园日。", class = "internal" }
alive_minutes  = { unit = "minutes", about = "Ten minutes for every sign of life, 1440 at most.", about_zh = "每次心跳算十分钟，最多1440。", class = "internal" }
night_minutes  = { unit = "minutes", about = "The same from 18:00 to 02:00, 480 at most.", about_zh = "同上，18:00至02:00，最多480。", class = "internal" }
meal_minutes   = { unit = "minutes", about = "The same from 06:00 to 20:00, 840 at most.", about_zh = "同上，06:00至20:00，最多840。", class = "internal" }
well_night_minutes = { unit = "minutes", about = "The same from 18:00 to 02:00, of signs of life that said that the device was well: one that is degraded may have missed who passed.", about_zh = "同上，18:00至02:00，只计自报正常的心跳：降级运行的设备可能漏记通行。", class = "internal" }
last_well_at   = { about = "Last sign of life that said that the device was well; empty without one.", about_zh = "最后一次自报正常的心跳；没有时为空。", class = "internal" }
last_beat_at   = { about = "Last sign of life.", about_zh = "最后一次心跳。", class = "internal" }
---*/

SELECT
    device_id,
    occurred_on,
    least(10 * count(*), 1440) AS alive_minutes,
    least(10 * sum(CASE WHEN minute_of_day >= 1080 OR minute_of_day < 120 THEN 1 ELSE 0 END), 480) AS night_minutes,
    least(10 * sum(CASE WHEN minute_of_day BETWEEN 360 AND 1199 THEN 1 ELSE 0 END), 840) AS meal_minutes,
    least(10 * sum(CASE WHEN status = 'ok' AND (minute_of_day >= 1080 OR minute_of_day < 120) THEN 1 ELSE 0 END), 480) AS well_night_minutes,
    max(CASE WHEN status = 'ok' THEN occurred_at END) AS last_well_at,
    max(occurred_at) AS last_beat_at
FROM stg_device_heartbeat
GROUP BY device_id, occurred_on

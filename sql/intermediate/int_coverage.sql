/*---
kind         = "table"
about        = "Share of the expected device time of 28 days that was observed, by kind of device; where no device reports, the share of days with any row; one row (设备完整率)."
about_zh     = "近28天设备应在线时间中实际观测到的比例，按设备类别；没有设备心跳的，取有任何数据的天数占比；只有一行。"
owner        = "network_center"
materialized = "view"
cached       = true
purpose      = ["portrait", "cockpit"]

[columns]
canteen_cov = { unit = "share", about = "Canteen terminals, from 06:00 to 20:00.", about_zh = "食堂终端，06:00至20:00。" }
library_cov = { unit = "share", about = "Library gates.", about_zh = "图书馆闸机。" }
dorm_cov    = { unit = "share", about = "Dormitory gates, from 18:00 to 02:00.", about_zh = "宿舍门禁，18:00至02:00。" }
all_cov     = { unit = "share", about = "All devices.", about_zh = "全部设备。" }
days_n      = { about = "Days with any heartbeat.", about_zh = "有任何心跳的天数。" }
---*/

-- Devices of the register are expected on every day on which any device gave a sign of life.
WITH due AS (
    SELECT count(DISTINCT occurred_on) AS days_n
    FROM int_device_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
),

alive AS (
    SELECT device_id, sum(alive_minutes) AS alive_minutes, sum(night_minutes) AS night_minutes, sum(meal_minutes) AS meal_minutes
    FROM int_device_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY device_id
),

beaten AS (
    SELECT
        CAST(sum(CASE WHEN stg_device.kind = 'canteen' THEN coalesce(alive.meal_minutes, 0) END) AS DECIMAL(18, 6))
            / nullif(sum(CASE WHEN stg_device.kind = 'canteen' THEN 840 * due.days_n END), 0) AS canteen_cov,
        CAST(sum(CASE WHEN stg_device.kind = 'library' THEN coalesce(alive.meal_minutes, 0) END) AS DECIMAL(18, 6))
            / nullif(sum(CASE WHEN stg_device.kind = 'library' THEN 840 * due.days_n END), 0) AS library_cov,
        CAST(sum(CASE WHEN stg_device.kind = 'dorm' THEN coalesce(alive.night_minutes, 0) END) AS DECIMAL(18, 6))
            / nullif(sum(CASE WHEN stg_device.kind = 'dorm' THEN 480 * due.days_n END), 0) AS dorm_cov,
        CAST(sum(coalesce(alive.alive_minutes, 0)) AS DECIMAL(18, 6)) / nullif(sum(1440 * due.days_n), 0) AS all_cov,
        max(due.days_n) AS days_n
    FROM stg_device
    CROSS JOIN due
    LEFT JOIN alive ON alive.device_id = stg_device.device_id
),

-- A school without heartbeats: a day on which nobody left a row of that kind is not covered.
rows_seen AS (
    SELECT
        count(DISTINCT CASE WHEN meal_n > 0 THEN occurred_on END) AS canteen_days,
        count(DISTINCT CASE WHEN library_in_n > 0 THEN occurred_on END) AS library_days,
        count(DISTINCT CASE WHEN dorm_passages IS NOT NULL THEN occurred_on END) AS dorm_days,
        count(DISTINCT occurred_on) AS any_days
    FROM int_campus_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
)

SELECT
    coalesce(beaten.canteen_cov, CAST(rows_seen.canteen_days AS DECIMAL(18, 6)) / 28) AS canteen_cov,
    coalesce(beaten.library_cov, CAST(rows_seen.library_days AS DECIMAL(18, 6)) / 28) AS library_cov,
    coalesce(beaten.dorm_cov, CAST(rows_seen.dorm_days AS DECIMAL(18, 6)) / 28) AS dorm_cov,
    coalesce(beaten.all_cov, CAST(rows_seen.any_days AS DECIMAL(18, 6)) / 28) AS all_cov,
    beaten.days_n
FROM beaten
CROSS JOIN rows_seen

/*---
kind         = "table"
about        = "Devices online and portraits with data, one row a date (平安与数据)."
about_zh     = "在线设备和有数据的画像，每个日期一行。"
owner        = "network_center"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit", "operations"]

[columns]
scope              = { about = "university.", about_zh = "university（全校）。", class = "internal" }
device_n           = { about = "Devices of the register.", about_zh = "登记的设备数。", class = "internal" }
device_online_rate = { unit = "share", about = "Device time seen on the day before the date.", about_zh = "基准日前一天的设备在线时间占比。", class = "internal" }
device_online_rate_before = { unit = "share", about = "The same one day earlier.", about_zh = "再前一天的同一比例。", class = "internal" }
device_silent_n    = { about = "Devices without a sign of life that day.", about_zh = "当天没有任何心跳的设备数。", class = "internal" }
student_n          = { about = "Students with a portrait.", about_zh = "有画像的学生数。", class = "internal" }
portrait_n         = { about = "Of these, with at least half of the measures known.", about_zh = "其中至少一半指标有数据的。", class = "internal" }
---*/

WITH device AS (
    SELECT
        stg_device.device_id,
        coalesce(max(CASE WHEN int_device_day.occurred_on = $as_of - INTERVAL '1' DAY THEN int_device_day.alive_minutes END), 0) AS now_minutes,
        coalesce(max(CASE WHEN int_device_day.occurred_on = $as_of - INTERVAL '2' DAY THEN int_device_day.alive_minutes END), 0) AS before_minutes
    FROM stg_device
    LEFT JOIN int_device_day ON int_device_day.device_id = stg_device.device_id AND int_device_day.occurred_on >= $as_of - INTERVAL '2' DAY
    GROUP BY stg_device.device_id
),

total AS (
    SELECT
        count(*) AS device_n,
        CAST(CAST(sum(now_minutes) AS DECIMAL(18, 6)) / nullif(sum(1440), 0) AS DOUBLE) AS device_online_rate,
        CAST(CAST(sum(before_minutes) AS DECIMAL(18, 6)) / nullif(sum(1440), 0) AS DOUBLE) AS device_online_rate_before,
        sum(CASE WHEN now_minutes = 0 THEN 1 ELSE 0 END) AS device_silent_n
    FROM device
),

person AS (
    SELECT count(*) AS student_n, sum(CASE WHEN 2 * known_n >= measures_n AND measures_n > 0 THEN 1 ELSE 0 END) AS portrait_n
    FROM portrait_student
    WHERE as_of_on = $as_of
)

SELECT
    'university' AS scope,
    total.device_n,
    total.device_online_rate,
    total.device_online_rate_before,
    total.device_silent_n,
    person.student_n,
    person.portrait_n
FROM total
CROSS JOIN person

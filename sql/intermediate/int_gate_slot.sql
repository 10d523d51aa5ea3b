/*---
kind         = "table"
about        = "Passages of each gate by ten minutes of a campus day, for what is unusual at a gate and for no person (门禁通行量)."
about_zh     = "门禁通行量：每个门在校园日内每十分钟的通行次数，用于看门口与平时有何不同，不涉及任何人。"
owner        = "logistics_security_office"
materialized = "day"
live         = true
grain        = ["device_id", "occurred_on", "slot"]
purpose      = ["public_safety", "operations"]

[columns]
device_id   = { about = "Gate.", about_zh = "闸机。", class = "internal" }
occurred_on = { about = "Campus day.", about_zh = "校园日。", class = "internal" }
slot        = { about = "Ten minutes of the day, counted from 00:00.", about_zh = "一天中的第几个十分钟，自 00:00 起算。", class = "internal" }
passage_n   = { about = "Passages, by any way.", about_zh = "通行次数，不论方式。", class = "trace" }
in_n        = { about = "Of them entries.", about_zh = "其中进入的次数。", class = "trace" }
---*/

SELECT
    device_id,
    occurred_on,
    CAST(minute_of_day / 10 AS BIGINT) AS slot,
    count(*) AS passage_n,
    sum(CASE WHEN direction = 'in' THEN 1 ELSE 0 END) AS in_n
FROM stg_gate_event
GROUP BY device_id, occurred_on, CAST(minute_of_day / 10 AS BIGINT)

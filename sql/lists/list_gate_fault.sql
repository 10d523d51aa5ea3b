/*---
kind     = "list"
live     = true
tell     = true
about    = "Devices without a sign of life for half an hour while others report, and gates with more passages than people can make (设备故障). It is a fault of the device: nobody behind it is absent or late."
about_zh = "其他设备正常上报、而半小时以上没有心跳的设备，以及通行次数超出人力可能的闸机。属设备故障：不能据此认为任何人缺勤、晚归或未归。"
title_zh = "设备故障（实时）"
title_en = "Device faults now"
owner    = "network_center"
grain    = ["device_id", "fault"]
purpose  = ["operations"]

[settings]
silent_after = "30 minutes"
share_min    = 3     # a third of the devices has to be heard after it
flood_min    = 600   # passages in ten minutes: one a second

[columns]
device_id    = { about = "Device.", about_zh = "设备。", class = "internal", title_zh = "设备", title_en = "Device" }
fault        = { about = "silent or flood.", about_zh = "silent 无信号，或 flood 记录过多。", class = "internal", title_zh = "异常", title_en = "Fault" }
kind         = { about = "Kind of place it serves.", about_zh = "服务于哪类场所。", class = "internal", title_zh = "类别", title_en = "Kind" }
place        = { about = "Where it stands.", about_zh = "所在位置。", class = "internal", title_zh = "位置", title_en = "Place" }
last_beat_at = { about = "Last sign of life within 28 days.", about_zh = "28天内最近一次心跳。", class = "internal", title_zh = "最近心跳", title_en = "Last sign of life" }
from_at      = { about = "Since when it is taken for a fault; the row holds from then on.", about_zh = "自何时起视为故障；该行自此有效。", class = "internal", title_zh = "起始时间", title_en = "Since" }
---*/

WITH beat AS (
    SELECT device_id, max(last_beat_at) AS last_beat_at
    FROM int_device_day
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY device_id
),

-- Where all are silent it is their source that is, as the page of pipelines says; a clock that runs ahead makes nobody silent.
silent AS (
    SELECT beat.device_id, beat.last_beat_at + CAST(${silent_after} AS INTERVAL) AS from_at
    FROM beat
    CROSS JOIN (SELECT count(*) AS device_n FROM beat) AS known
    INNER JOIN beat AS other ON other.last_beat_at >= beat.last_beat_at + CAST(${silent_after} AS INTERVAL)
    GROUP BY beat.device_id, beat.last_beat_at, known.device_n
    HAVING ${share_min} * count(*) >= known.device_n
),

flood AS (
    SELECT device_id, min(CASE WHEN slot < 24 THEN slot + 144 ELSE slot END) AS slot
    FROM int_gate_slot
    WHERE occurred_on = $as_of AND passage_n >= ${flood_min}
    GROUP BY device_id
),

fault AS (
    SELECT device_id, 'silent' AS fault, from_at
    FROM silent

    UNION ALL

    SELECT
        device_id,
        'flood' AS fault,
        arrow_cast(CAST(day_start($as_of) AS BIGINT) + (slot * 10 - 240) * 60000000, 'Timestamp(Microsecond, Some("UTC"))') AS from_at
    FROM flood
)

SELECT
    fault.device_id,
    fault.fault,
    stg_device.kind,
    stg_device.place,
    beat.last_beat_at,
    fault.from_at
FROM fault
-- A device that the register no longer knows is nobody's to mend.
INNER JOIN stg_device ON stg_device.device_id = fault.device_id
LEFT JOIN beat ON beat.device_id = fault.device_id

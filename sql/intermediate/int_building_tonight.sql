/*---
kind         = "table"
about        = "Dormitories on the open day: from when on tonight's list of a building is complete, and until when its gates are known to work and to tell of passages (当晚楼栋清单时刻)."
about_zh     = "当晚楼栋清单时刻：各宿舍楼当晚名单从何时起完整，以及该楼门禁到何时为止确知正常且有通行数据。没有数据的楼不算完整，更不算无人未归。"
owner        = "logistics_security_office"
materialized = "whole"
live         = true
grain        = ["building_id"]
purpose      = ["public_safety"]

[settings]
closing_minute = 1410    # 23:30, half an hour after the gates close, where the register of buildings says no other hour
gate_cov_min   = 0.8     # of the building's gate time from 18:00 on
flood_min      = 600     # passages in ten minutes: whoever came in may be among what such a gate does not tell
silent_after   = "30 minutes"   # a gate that did not say for so long that it is well is out of order
lag_after      = "2 hours"      # without a passage by any gate of the building for so long before it closes passages may lie behind heartbeats

[columns]
building_id = { about = "Building.", about_zh = "楼栋编号。", class = "internal" }
night_on    = { about = "The night.", about_zh = "是哪一夜。", class = "internal" }
from_at     = { about = "Half an hour after the building closes.", about_zh = "该楼关门半小时后。", class = "internal" }
until_at    = { about = "Until when its gates are known to work and to tell of passages; empty where they were not all day.", about_zh = "该楼门禁到何时为止确知正常且有通行数据；当天并非如此的为空。", class = "internal" }
quiet_since_at = { about = "The last passage before the building closed, where none came in for long: why it has no list.", about_zh = "该楼关门前很久没有通行数据时，最后一次通行的时间：没有名单的原因。", class = "internal" }
---*/

WITH beat AS (
    SELECT
        stg_device.building_id,
        int_device_day.last_well_at,
        coalesce(int_device_day.well_night_minutes, 0) AS night_minutes,
        -- Minutes since 18:00 of which the gate has told already. What says that it is degraded may miss whoever comes in.
        least(480, greatest(0, CAST((date_part('epoch', int_device_day.last_well_at) - date_part('epoch', day_start($as_of))) AS BIGINT) / 60 - 840)) AS due_minutes
    FROM stg_device
    LEFT JOIN int_device_day ON int_device_day.device_id = stg_device.device_id AND int_device_day.occurred_on = $as_of
    WHERE stg_device.kind = 'dorm' AND stg_device.building_id IS NOT NULL
),

-- One gate that says nothing is a way in that nobody watches.
gate AS (
    SELECT
        building_id,
        min(last_well_at) AS well_at,
        sum(night_minutes) AS night_minutes,
        sum(due_minutes) AS due_minutes,
        sum(CASE WHEN last_well_at IS NULL THEN 1 ELSE 0 END) AS silent_n
    FROM beat
    GROUP BY building_id
),

-- Passages may come later than heartbeats: a building whose gates told of none for long before it closed may have let its
-- people in unseen. Once it is closed and its people sleep, no passage is what there should be.
passage AS (
    SELECT
        stg_device.building_id,
        arrow_cast(CAST(day_start($as_of) AS BIGINT) + (max(CASE WHEN int_gate_slot.slot < 24 THEN int_gate_slot.slot + 144 ELSE int_gate_slot.slot END) * 10 - 240) * 60000000, 'Timestamp(Microsecond, Some("UTC"))') AS last_at,
        max(int_gate_slot.passage_n) AS most_n
    FROM int_gate_slot
    INNER JOIN stg_device ON stg_device.device_id = int_gate_slot.device_id
    WHERE int_gate_slot.occurred_on = $as_of AND stg_device.kind = 'dorm'
    GROUP BY stg_device.building_id
),

building AS (
    SELECT
        gate.building_id,
        -- Campus days begin at 04:00: minute 240 of their own date.
        arrow_cast(CAST(day_start($as_of) AS BIGINT) + (coalesce(int_building_closing.closing_minute, ${closing_minute}) - 240) * 60000000, 'Timestamp(Microsecond, Some("UTC"))') AS from_at,
        gate.well_at + CAST(${silent_after} AS INTERVAL) AS well_until_at,
        passage.last_at,
        passage.last_at + CAST(${lag_after} AS INTERVAL) AS told_until_at,
        gate.silent_n = 0 AND gate.night_minutes >= ${gate_cov_min} * gate.due_minutes AND passage.most_n < ${flood_min} AS is_known
    FROM gate
    LEFT JOIN passage ON passage.building_id = gate.building_id
    LEFT JOIN int_building_closing ON int_building_closing.building_id = gate.building_id
)

SELECT
    building_id,
    $as_of AS night_on,
    from_at,
    CASE WHEN is_known AND told_until_at >= from_at THEN well_until_at
        WHEN is_known THEN least(well_until_at, told_until_at) END AS until_at,
    CASE WHEN is_known AND told_until_at < from_at THEN last_at END AS quiet_since_at
FROM building

/*---
kind      = "measure"
about     = "Share of nights on which all of the room were seen coming in or washing after 20:00, of those on which the gates worked and nobody was on leave (寝室同在率). Passages by face are left out."
about_zh  = "近28夜里，20:00之后全室的人都有进门或洗浴记录的夜数占比。只计门禁正常、无人请假、不在假期的夜晚；单人住的房间没有此项，人脸通行不计，已退出社交类指标的人不计。"
title_zh  = "寝室同在率"
title_en  = "Evenings with all roommates"
owner     = "psychology_center"
subject   = "student_key"
purpose   = ["care"]
dimension = "social"
facet     = "company"
unit      = "share"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 0.05
class     = "closed"
---*/

-- Only what gates and terminals saw without a face: who came in unseen was there all the same, so this is a lower bound.
WITH evening AS (
    SELECT
        int_night.student_key,
        int_night.room_id,
        int_night.occurred_on,
        int_night.gate_minutes,
        int_night.gate_minutes_due,
        int_campus_day.evening_last_in_minute IS NOT NULL OR coalesce(int_campus_day.shower_minute >= 1200, FALSE) AS is_seen,
        int_night.is_on_leave OR NOT int_night.is_gate_seen AS is_unknown
    FROM int_night
    LEFT JOIN int_campus_day ON int_campus_day.student_key = int_night.student_key AND int_campus_day.occurred_on = int_night.occurred_on
    LEFT JOIN closed_social_left ON closed_social_left.student_key = int_night.student_key
    -- Who objects stands in no figure of the room, their own or a roommate's.
    WHERE closed_social_left.student_key IS NULL AND int_night.room_id IS NOT NULL AND NOT int_night.is_free
),

room_night AS (
    SELECT
        room_id,
        occurred_on,
        count(*) AS people,
        sum(CASE WHEN is_seen THEN 1 ELSE 0 END) AS seen_n,
        sum(CASE WHEN is_unknown THEN 1 ELSE 0 END) AS unknown_n
    FROM evening
    GROUP BY room_id, occurred_on
)

SELECT
    evening.student_key,
    CAST(sum(CASE WHEN room_night.seen_n = room_night.people THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    CAST(sum(evening.gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(evening.gate_minutes_due), 0) AS cov
FROM evening
INNER JOIN room_night ON room_night.room_id = evening.room_id AND room_night.occurred_on = evening.occurred_on
WHERE room_night.people > 1 AND room_night.unknown_n = 0
GROUP BY evening.student_key

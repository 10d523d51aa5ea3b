/*---
kind      = "measure"
about     = "Share of nights on which all of the room were in, of those on which it is known of all (寝室同在率)."
title_zh  = "寝室同在率"
title_en  = "Nights with all roommates"
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

WITH room_night AS (
    SELECT
        room_id,
        occurred_on,
        count(*) AS people,
        sum(CASE WHEN is_back THEN 1 ELSE 0 END) AS back_n,
        sum(CASE WHEN is_back OR is_absent OR is_on_leave THEN 1 ELSE 0 END) AS known_n
    FROM int_night
    WHERE room_id IS NOT NULL AND NOT is_free
    GROUP BY room_id, occurred_on
)

SELECT
    int_night.student_key,
    CAST(sum(CASE WHEN room_night.back_n = room_night.people THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    CAST(sum(int_night.gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(int_night.gate_minutes_due), 0) AS cov
FROM int_night
INNER JOIN room_night ON room_night.room_id = int_night.room_id AND room_night.occurred_on = int_night.occurred_on
WHERE room_night.people > 1 AND room_night.known_n = room_night.people
GROUP BY int_night.student_key

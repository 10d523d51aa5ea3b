/*---
kind         = "table"
about        = "How far staff reach students, for the university and each college: who was talked with in 28 days, how long ago the last talk was, rooms a day, the four slots of the day, requests that staff found themselves (联系覆盖). About teams, never about one member of staff or one student."
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit", "evaluation"]

[settings]
slot_minutes = 40     # each of the four slots of a day

[columns]
scope           = { about = "university, or the id of a college.", class = "internal" }
student_n       = { about = "Enrolled students.", class = "internal" }
met_n           = { about = "Of these, talked with in 28 days (谈话覆盖); empty if those met, or those not met, are one to four.", class = "internal" }
gap_days_p50    = { unit = "days", about = "Days since the last talk, half of the students at most; who was never met counts from the first record.", class = "internal" }
gap_days_p90    = { unit = "days", about = "The same for nine tenths of the students.", class = "internal" }
staff_n         = { about = "Counselors who were on shift in 28 days; empty below five, and what follows with it.", class = "internal" }
room_n          = { about = "Rooms visited in 28 days, each once a day (走访).", class = "internal" }
room_day_n      = { about = "Days on which somebody visited rooms, summed over staff.", class = "internal" }
rooms_a_day     = { about = "Rooms a member of staff visits on a day of visits.", class = "internal" }
slot_due_n      = { about = "Slots of the days on shift: morning, noon, afternoon and evening (四个时段).", class = "internal" }
slot_done_n     = { about = "Of these, with forty minutes of talks and visits or more.", class = "internal" }
proactive_n     = { about = "Requests of 28 days that staff found themselves (未诉先办).", class = "internal" }
ticket_n        = { about = "Requests of 28 days; empty below five.", class = "internal" }
---*/

WITH pupil AS (
    SELECT student_key, college, counselor_key
    FROM dim_student
    WHERE as_of_on = $as_of AND status = 'enrolled'
),

-- Of a meeting of a group everybody has a row: it counts for each.
talk AS (
    SELECT student_key, max(occurred_on) AS last_on
    FROM stg_contact_record
    GROUP BY student_key
),

first_talk AS (
    SELECT min(occurred_on) AS first_on
    FROM stg_contact_record
    HAVING count(*) > 0
),

gap AS (
    SELECT
        pupil.college,
        talk.last_on >= $as_of - INTERVAL '28' DAY AS is_met,
        arrow_cast($as_of, 'Int32') - arrow_cast(coalesce(talk.last_on, first_talk.first_on), 'Int32') AS days
    FROM pupil
    CROSS JOIN first_talk
    LEFT JOIN talk ON talk.student_key = pupil.student_key
),

gap_scoped AS (
    SELECT 'university' AS scope, is_met, days FROM gap
    UNION ALL
    SELECT college AS scope, is_met, days FROM gap
),

gap_counted AS (
    SELECT
        scope,
        count(*) AS student_n,
        sum(CASE WHEN is_met THEN 1 ELSE 0 END) AS met_n,
        median(CAST(days AS DOUBLE)) AS gap_days_p50,
        -- The nine tenths of a handful is one person.
        percentile_cont(CAST(days AS DOUBLE), 0.9) AS gap_days_p90
    FROM gap_scoped
    GROUP BY scope
),

-- A counselor works for the college of most of the students that are theirs.
home AS (
    SELECT
        counselor_key AS staff_key,
        college,
        row_number() OVER (PARTITION BY counselor_key ORDER BY count(*) DESC, college) AS place
    FROM pupil
    WHERE counselor_key IS NOT NULL
    GROUP BY counselor_key, college
),

shift_day AS (
    SELECT DISTINCT staff_key, occurred_on
    FROM stg_duty_shift
    WHERE post = 'counselor' AND occurred_on >= $as_of - INTERVAL '28' DAY
),

work AS (
    SELECT staff_key, occurred_on, contact_id AS work_id, max(minute_of_day) AS minute, max(coalesce(minutes, 0)) AS minutes
    FROM stg_contact_record
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY staff_key, occurred_on, contact_id

    UNION ALL

    SELECT staff_key, occurred_on, visit_id, minute_of_day, coalesce(minutes, 0)
    FROM stg_room_visit
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
),

-- Morning until noon, noon until two, afternoon until six, evening: forty minutes each.
slot AS (
    SELECT staff_key, occurred_on,
        CASE WHEN minute >= 240 AND minute < 720 THEN 1 WHEN minute >= 720 AND minute < 840 THEN 2
            WHEN minute >= 840 AND minute < 1080 THEN 3 ELSE 4 END AS slot_no,
        sum(minutes) AS minutes
    FROM work
    GROUP BY 1, 2, 3
),

slot_day AS (
    SELECT
        shift_day.staff_key,
        shift_day.occurred_on,
        count(CASE WHEN slot.minutes >= ${slot_minutes} THEN slot.slot_no END) AS done_n
    FROM shift_day
    LEFT JOIN slot ON slot.staff_key = shift_day.staff_key AND slot.occurred_on = shift_day.occurred_on
    GROUP BY shift_day.staff_key, shift_day.occurred_on
),

room_day AS (
    SELECT staff_key, occurred_on, count(DISTINCT room_id) AS room_n
    FROM stg_room_visit
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY staff_key, occurred_on
),

staff AS (
    SELECT staff_key, 1 AS shift_days, done_n, 0 AS room_n, 0 AS room_days FROM slot_day
    UNION ALL
    SELECT staff_key, 0, 0, room_n, 1 FROM room_day
),

staff_scoped AS (
    SELECT 'university' AS scope, staff_key, shift_days, done_n, room_n, room_days FROM staff
    UNION ALL
    SELECT home.college AS scope, staff.staff_key, shift_days, done_n, room_n, room_days
    FROM staff
    INNER JOIN home ON home.staff_key = staff.staff_key AND home.place = 1
),

staff_counted AS (
    SELECT
        scope,
        count(DISTINCT CASE WHEN shift_days = 1 THEN staff_key END) AS staff_n,
        sum(room_n) AS room_n,
        sum(room_days) AS room_day_n,
        4 * sum(shift_days) AS slot_due_n,
        sum(done_n) AS slot_done_n
    FROM staff_scoped
    GROUP BY scope
),

ticket AS (
    SELECT 'university' AS scope, origin FROM fct_ticket WHERE submitted_at >= day_start(CAST($as_of - INTERVAL '28' DAY AS DATE))
    UNION ALL
    SELECT pupil.college AS scope, fct_ticket.origin
    FROM fct_ticket
    INNER JOIN pupil ON pupil.student_key = fct_ticket.student_key
    WHERE fct_ticket.submitted_at >= day_start(CAST($as_of - INTERVAL '28' DAY AS DATE))
),

ticket_counted AS (
    SELECT scope, count(*) AS ticket_n, sum(CASE WHEN origin = 'proactive' THEN 1 ELSE 0 END) AS proactive_n
    FROM ticket
    GROUP BY scope
)

SELECT
    gap_counted.scope,
    gap_counted.student_n,
    CASE WHEN (met_n = 0 OR met_n >= ${k_default}) AND (met_n = student_n OR student_n - met_n >= ${k_default}) THEN met_n END AS met_n,
    CASE WHEN student_n >= 4 * ${k_default} THEN gap_days_p50 END AS gap_days_p50,
    CASE WHEN student_n >= 10 * ${k_default} THEN gap_days_p90 END AS gap_days_p90,
    CASE WHEN staff_n >= ${k_default} THEN staff_n END AS staff_n,
    CASE WHEN staff_n >= ${k_default} THEN room_n END AS room_n,
    CASE WHEN staff_n >= ${k_default} THEN room_day_n END AS room_day_n,
    CASE WHEN staff_n >= ${k_default} THEN CAST(room_n AS DOUBLE) / nullif(room_day_n, 0) END AS rooms_a_day,
    CASE WHEN staff_n >= ${k_default} THEN slot_due_n END AS slot_due_n,
    CASE WHEN staff_n >= ${k_default} THEN slot_done_n END AS slot_done_n,
    CASE WHEN ticket_n >= ${k_default} THEN proactive_n END AS proactive_n,
    CASE WHEN ticket_n >= ${k_default} THEN ticket_n END AS ticket_n
FROM gap_counted
LEFT JOIN staff_counted ON staff_counted.scope = gap_counted.scope
LEFT JOIN ticket_counted ON ticket_counted.scope = gap_counted.scope
WHERE student_n >= ${k_default}

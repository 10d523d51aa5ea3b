/*---
kind         = "table"
about        = "How far staff reach students, for the university and each college: who was talked with in 28 days, how long ago the last talk was, rooms a day, the four slots of the day, requests that staff found themselves (联系覆盖). About teams, never about one member of staff or one student; colleges below five are in no figure, and no hidden college follows from the university."
about_zh     = "教职工联系学生的情况，全校和各学院：近28天与多少人谈过、距上次谈话多久、每天走访多少间、四个时段的分布、教职工自己发现的诉求。只关乎队伍，从不关乎某一位教职工或学生；不足五人的学院不进入任何数字，也不能由全校数字推算出被隐去的学院。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit", "evaluation"]

[settings]
slot_minutes = 40     # each of the four slots of a day

[columns]
scope           = { about = "university, or the id of a college.", about_zh = "university（全校）或学院编号。", class = "internal" }
student_n       = { about = "Enrolled students.", about_zh = "在籍学生数。", class = "internal" }
met_n           = { about = "Of these, talked with in 28 days (谈话覆盖); empty if those met, or those not met, are one to four, and where these would follow from the university.", about_zh = "其中28天内有人谈过话的（谈话覆盖）；谈过或没谈过的为一至四人时为空，能由全校数字推算出时也为空。", class = "internal" }
gap_days_p50    = { unit = "days", about = "Days since the last talk, half of the students at most; who was never met counts from the first record.", about_zh = "距上次谈话的天数，一半学生不超过此数；从未谈过的自有记录起计。", class = "internal" }
gap_days_p90    = { unit = "days", about = "The same for nine tenths of the students.", about_zh = "同上，九成学生不超过此数。", class = "internal" }
staff_n         = { about = "Counselors who were on shift in 28 days; empty below five and where these would follow, and what rests on it.", about_zh = "28天内值过班的辅导员数；不足五人及能由此推算出时为空，依此计算的数字也为空。", class = "internal" }
room_n          = { about = "Rooms visited in 28 days, each once a day (走访).", about_zh = "28天内走访的房间数，同一间每天只计一次。", class = "internal" }
room_day_n      = { about = "Days on which somebody visited rooms, summed over staff.", about_zh = "有人走访房间的天数，按教职工累加。", class = "internal" }
rooms_a_day     = { about = "Rooms a member of staff visits on a day of visits.", about_zh = "一位教职工在走访日平均走访的房间数。", class = "internal" }
slot_due_n      = { about = "Slots of the days on shift: morning, noon, afternoon and evening (四个时段).", about_zh = "值班日的时段数：上午、中午、下午和晚上。", class = "internal" }
slot_done_n     = { about = "Of these, with forty minutes of talks and visits or more.", about_zh = "其中谈话和走访达到四十分钟的。", class = "internal" }
proactive_n     = { about = "Requests of 28 days that staff found themselves (未诉先办).", about_zh = "28天内教职工自己发现的诉求（未诉先办）。", class = "internal" }
ticket_n        = { about = "Requests of 28 days; empty below five.", about_zh = "28天内的诉求数；不足五件时为空。", class = "internal" }
---*/

WITH pupil AS (
    SELECT student_key, college, counselor_key, count(*) OVER (PARTITION BY college) AS college_n
    FROM dim_student
    WHERE as_of_on = $as_of AND is_enrolled AND college IS NOT NULL
),

-- A row counts for the university and for its college: read once, and doubled where it is counted.
part AS (
    SELECT * FROM (VALUES (TRUE), (FALSE)) AS part (is_whole)
),

-- Of a meeting of a group everybody has a row: it counts for each.
talk AS (
    SELECT student_key, min(occurred_on) AS first_on, max(occurred_on) AS last_on
    FROM stg_contact_record
    GROUP BY student_key
),

first_talk AS (
    SELECT min(first_on) AS first_on
    FROM talk
    HAVING count(*) > 0
),

gap AS (
    SELECT
        pupil.college,
        coalesce(talk.last_on >= $as_of - INTERVAL '28' DAY, FALSE) AS is_met,
        arrow_cast($as_of, 'Int32') - arrow_cast(coalesce(talk.last_on, first_talk.first_on), 'Int32') AS days
    FROM first_talk
    CROSS JOIN pupil
    LEFT JOIN talk ON talk.student_key = pupil.student_key
    WHERE pupil.college_n >= ${k_default}
),

gap_counted AS (
    SELECT
        CASE WHEN part.is_whole THEN 'university' ELSE gap.college END AS scope,
        count(*) AS student_n,
        sum(CASE WHEN gap.is_met THEN 1 ELSE 0 END) AS met_n,
        median(CAST(gap.days AS DOUBLE)) AS gap_days_p50,
        -- The nine tenths of a handful is one person.
        percentile_cont(CAST(gap.days AS DOUBLE), 0.9) AS gap_days_p90
    FROM part
    CROSS JOIN gap
    GROUP BY CASE WHEN part.is_whole THEN 'university' ELSE gap.college END
),

-- A counselor works for the college of most of the students that are theirs.
charge AS (
    SELECT counselor_key, college, count(*) AS student_n
    FROM pupil
    WHERE counselor_key IS NOT NULL
    GROUP BY counselor_key, college
),

home AS (
    SELECT
        counselor_key AS staff_key,
        college,
        row_number() OVER (PARTITION BY counselor_key ORDER BY student_n DESC, college) AS place
    FROM charge
),

shift_day AS (
    SELECT DISTINCT staff_key, occurred_on
    FROM stg_duty_shift
    WHERE post = 'counselor' AND occurred_on >= $as_of - INTERVAL '28' DAY
),

work AS (
    SELECT staff_key, occurred_on, NULL AS room_id, max(minute_of_day) AS minute, max(coalesce(minutes, 0)) AS minutes
    FROM stg_contact_record
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY staff_key, occurred_on, contact_id

    UNION ALL

    SELECT staff_key, occurred_on, room_id, minute_of_day, coalesce(minutes, 0)
    FROM stg_room_visit
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
),

-- Morning until noon, noon until two, afternoon until six, evening: forty minutes each.
staff_day AS (
    SELECT
        staff_key,
        occurred_on,
        count(DISTINCT room_id) AS room_n,
        sum(CASE WHEN minute >= 240 AND minute < 720 THEN minutes ELSE 0 END) AS morning,
        sum(CASE WHEN minute >= 720 AND minute < 840 THEN minutes ELSE 0 END) AS noon,
        sum(CASE WHEN minute >= 840 AND minute < 1080 THEN minutes ELSE 0 END) AS afternoon,
        sum(CASE WHEN minute >= 1080 OR minute < 240 THEN minutes ELSE 0 END) AS evening
    FROM work
    GROUP BY staff_key, occurred_on
),

staff AS (
    SELECT
        coalesce(shift_day.staff_key, staff_day.staff_key) AS staff_key,
        CASE WHEN shift_day.staff_key IS NULL THEN 0 ELSE 1 END AS shift_days,
        CASE WHEN shift_day.staff_key IS NULL THEN 0 ELSE
            CASE WHEN staff_day.morning >= ${slot_minutes} THEN 1 ELSE 0 END + CASE WHEN staff_day.noon >= ${slot_minutes} THEN 1 ELSE 0 END
            + CASE WHEN staff_day.afternoon >= ${slot_minutes} THEN 1 ELSE 0 END + CASE WHEN staff_day.evening >= ${slot_minutes} THEN 1 ELSE 0 END
        END AS done_n,
        coalesce(staff_day.room_n, 0) AS room_n,
        CASE WHEN staff_day.room_n > 0 THEN 1 ELSE 0 END AS room_days
    FROM shift_day
    FULL OUTER JOIN staff_day ON staff_day.staff_key = shift_day.staff_key AND staff_day.occurred_on = shift_day.occurred_on
),

staff_counted AS (
    SELECT
        CASE WHEN part.is_whole THEN 'university' ELSE home.college END AS scope,
        count(DISTINCT CASE WHEN staff.shift_days = 1 THEN staff.staff_key END) AS staff_n,
        sum(staff.room_n) AS room_n,
        sum(staff.room_days) AS room_day_n,
        4 * sum(staff.shift_days) AS slot_due_n,
        sum(staff.done_n) AS slot_done_n
    FROM part
    CROSS JOIN staff
    LEFT JOIN home ON home.staff_key = staff.staff_key AND home.place = 1
    GROUP BY CASE WHEN part.is_whole THEN 'university' ELSE home.college END
),

ticket_counted AS (
    SELECT
        CASE WHEN part.is_whole THEN 'university' ELSE pupil.college END AS scope,
        count(*) AS ticket_n,
        sum(CASE WHEN fct_ticket.origin = 'proactive' THEN 1 ELSE 0 END) AS proactive_n
    FROM part
    CROSS JOIN fct_ticket
    LEFT JOIN pupil ON pupil.student_key = fct_ticket.student_key
    WHERE fct_ticket.submitted_at >= day_start(CAST($as_of - INTERVAL '28' DAY AS DATE))
    GROUP BY CASE WHEN part.is_whole THEN 'university' ELSE pupil.college END
),

counted AS (
    SELECT gap_counted.*, staff_n, room_n, room_day_n, slot_due_n, slot_done_n, coalesce(ticket_n, 0) AS ticket_n, coalesce(proactive_n, 0) AS proactive_n
    FROM gap_counted
    LEFT JOIN staff_counted ON staff_counted.scope = gap_counted.scope
    LEFT JOIN ticket_counted ON ticket_counted.scope = gap_counted.scope
),

-- One figure a row, so that what is told of colleges beside the university is decided in one place for all of them.
cell AS (
    SELECT
        counted.*,
        figure.figure,
        CASE figure.figure WHEN 'met' THEN met_n WHEN 'staff' THEN coalesce(staff_n, 0) ELSE ticket_n END AS n,
        CASE figure.figure WHEN 'met' THEN student_n END AS whole
    FROM counted
    CROSS JOIN (VALUES ('met'), ('staff'), ('ticket')) AS figure (figure)
),

marked AS (
    SELECT
        *,
        scope <> 'university' AS is_part,
        n BETWEEN 1 AND ${k_default} - 1 OR coalesce(whole - n BETWEEN 1 AND ${k_default} - 1, FALSE) AS is_small
    FROM cell
),

-- What may be hidden beside a small one; that nobody is on shift is not told anyway.
other AS (
    SELECT *, is_part AND NOT is_small AND (n > 0 OR figure <> 'staff') AS is_other
    FROM marked
),

ranked AS (
    SELECT
        *,
        sum(CASE WHEN is_part AND is_small THEN 1 ELSE 0 END) OVER own AS small_n,
        sum(CASE WHEN is_part AND is_small THEN n ELSE 0 END) OVER own AS small_sum,
        sum(CASE WHEN is_part AND is_small THEN whole ELSE 0 END) OVER own AS small_whole,
        sum(CASE WHEN is_other THEN 1 ELSE 0 END) OVER own AS other_n,
        row_number() OVER (PARTITION BY figure
            ORDER BY CASE WHEN is_other THEN 0 ELSE 1 END, CASE WHEN n = 0 THEN 1 ELSE 0 END, n, scope) AS place
    FROM other
    WINDOW own AS (PARTITION BY figure)
),

-- One hidden college among told ones follows from the university, and so do several of one each, or of all but one each: then the
-- smallest of the others is hidden as well, or the university where there is no other.
judged AS (
    SELECT
        *,
        coalesce(NOT is_small
            AND NOT ((small_n = 1 OR (small_n > 1 AND (small_sum = small_n OR small_sum = coalesce(small_whole - small_n, -1))))
                AND CASE WHEN is_part THEN is_other AND place = 1 ELSE other_n = 0 END), FALSE) AS is_told
    FROM ranked
),

-- The counts stand on every figure's row: to join them again would count everything once more.
told AS (
    SELECT
        scope,
        max(student_n) AS student_n,
        max(gap_days_p50) AS gap_days_p50,
        max(gap_days_p90) AS gap_days_p90,
        max(CASE WHEN figure = 'met' AND is_told THEN met_n END) AS met_n,
        max(CASE WHEN figure = 'staff' AND is_told AND n > 0 THEN staff_n END) AS staff_n,
        max(CASE WHEN figure = 'staff' AND is_told AND n > 0 THEN room_n END) AS room_n,
        max(CASE WHEN figure = 'staff' AND is_told AND n > 0 THEN room_day_n END) AS room_day_n,
        max(CASE WHEN figure = 'staff' AND is_told AND n > 0 THEN slot_due_n END) AS slot_due_n,
        max(CASE WHEN figure = 'staff' AND is_told AND n > 0 THEN slot_done_n END) AS slot_done_n,
        max(CASE WHEN figure = 'ticket' AND is_told THEN proactive_n END) AS proactive_n,
        max(CASE WHEN figure = 'ticket' AND is_told THEN ticket_n END) AS ticket_n
    FROM judged
    GROUP BY scope
)

SELECT
    scope,
    student_n,
    met_n,
    CASE WHEN student_n >= 4 * ${k_default} THEN gap_days_p50 END AS gap_days_p50,
    CASE WHEN student_n >= 10 * ${k_default} THEN gap_days_p90 END AS gap_days_p90,
    staff_n,
    room_n,
    room_day_n,
    CAST(room_n AS DOUBLE) / nullif(room_day_n, 0) AS rooms_a_day,
    slot_due_n,
    slot_done_n,
    proactive_n,
    ticket_n
FROM told

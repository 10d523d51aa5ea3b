/*---
kind         = "table"
about        = "Days of sixty on which people saw a student whom no device saw by then: earlier or later than every device of the day, or on a day without one (设备之外的见到)."
about_zh     = "近60天里设备之外见到该生的日子：比当天所有设备记录更早或更晚，或当天没有设备记录。课堂点名、查寝在寝、未归核实和个别谈话算数；扫码可以代扫，接待日登记的学号可能是别人替其来访，集体谈话说明不了一个人，都不算。"
owner        = "platform"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "public_safety"]

[columns]
occurred_on      = { about = "Campus day.", about_zh = "校园日。", class = "trace" }
first_seen_at    = { about = "First time of the day at which somebody saw the student.", about_zh = "当天最早被人见到的时间。", class = "trace" }
last_seen_at     = { about = "Last time of the day at which somebody saw the student.", about_zh = "当天最后被人见到的时间。", class = "trace" }
last_seen_source = { about = "Source of that: class_attendance, night_check or contact_record.", about_zh = "其来源：class_attendance 课堂点名、night_check 查寝或 contact_record 谈话。", class = "trace" }
is_free          = { about = "Whether the day is a weekend, a holiday or in a vacation.", about_zh = "是否为周末、节假日或假期。", class = "trace" }
---*/

-- Who was met by somebody was there, whatever the devices say: by a teacher who called the roll, by a night check, by whoever
-- looked after the list of the night, in a talk of two. A code that is scanned can be passed on, so like a check-in it ends no
-- silence; neither does a talk to many, nor a visit on a reception day: the number in its book is of whom it is about, and
-- those who come may be those who miss the student. Activities are kept for other purposes than safety.
WITH witness AS (
    SELECT student_key, occurred_on, held_at AS seen_at, 'class_attendance' AS seen_by
    FROM stg_class_attendance
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND state IN ('present', 'late') AND coalesce(method, 'roll_call') IN ('roll_call', 'card')

    UNION ALL

    SELECT student_key, occurred_on, checked_at AS seen_at, 'night_check' AS seen_by
    FROM stg_night_check
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND result = 'in'

    UNION ALL

    -- Looked for in the morning, somebody was there in the morning: the day of the answer, not of the night.
    SELECT student_key, campus_on(at) AS occurred_on, at AS seen_at, 'night_check' AS seen_by
    FROM stg_absence_check
    WHERE night_on >= $as_of - INTERVAL '60' DAY AND result IN ('in_room', 'contacted')

    UNION ALL

    SELECT student_key, occurred_on, held_at AS seen_at, 'contact_record' AS seen_by
    FROM stg_contact_record
    WHERE occurred_on >= $as_of - INTERVAL '60' DAY AND mode IN ('one_to_one', 'phone')
),

-- Most of it lies between two payments and adds nothing: what is kept in memory is the rest.
beyond AS (
    SELECT witness.student_key, witness.occurred_on, witness.seen_at, witness.seen_by
    FROM witness
    LEFT JOIN int_campus_day ON int_campus_day.student_key = witness.student_key AND int_campus_day.occurred_on = witness.occurred_on
    WHERE int_campus_day.student_key IS NULL
        OR witness.seen_at > int_campus_day.last_seen_at
        OR witness.seen_at < int_campus_day.first_seen_at
),

day AS (
    SELECT
        student_key,
        occurred_on,
        min(seen_at) AS first_seen_at,
        max(seen_at) AS last_seen_at,
        first_value(seen_by ORDER BY seen_at DESC, seen_by) AS last_seen_source
    FROM beyond
    GROUP BY student_key, occurred_on
)

SELECT
    day.student_key,
    day.occurred_on,
    day.first_seen_at,
    day.last_seen_at,
    day.last_seen_source,
    coalesce(int_calendar_day.kind IN ('weekend', 'holiday', 'vacation'), FALSE) AS is_free
FROM day
-- Whoever is not in the register has no days here; a school without a calendar keeps its days.
INNER JOIN dim_student ON dim_student.student_key = day.student_key AND dim_student.as_of_on = $as_of
LEFT JOIN int_calendar_day ON int_calendar_day.date = day.occurred_on
    AND int_calendar_day.grade = dim_student.grade AND int_calendar_day.campus = coalesce(dim_student.campus, '')

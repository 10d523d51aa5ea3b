/*---
kind         = "table"
about        = "Terms of three years with what a student took part in, for every student and every term in which they studied here and which the activity system covers (各学期参与)."
about_zh     = "近三年各学期的活动参与：每名学生在每个就读的、活动数据覆盖的学期一行；假期不算，入学前、休学和实习期间的学期，以及一半以上的周没有签到数据的学期不在其中。"
owner        = "youth_league_committee"
materialized = "view"
cached       = true
grain        = ["student_key", "term"]
subject      = "student_key"
purpose      = ["portrait", "evaluation"]

[settings]
term_days  = 28    # teaching days that are covered; of a term that has just begun nothing is told
entry_days = 28    # so late into a term somebody may enter and still have all of it

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "personal" }
term        = { about = "Term of the calendar.", about_zh = "校历学期。", class = "internal" }
term_no     = { about = "Place of the term among those that are covered, from 1.", about_zh = "在有数据的学期中的次序，从1起。" }
day_n       = { about = "Teaching days of the term that are covered.", about_zh = "该学期有数据的教学日数。" }
activity_n  = { about = "Activities attended; one of several days counts once.", about_zh = "参加的活动数；持续几天的算一次。" }
volunteer_n = { about = "Of these, volunteering.", about_zh = "其中志愿服务的次数。" }
---*/

WITH covered AS (
    SELECT min(occurred_on) AS first_on
    FROM stg_activity_attendance
    WHERE occurred_on >= $as_of - INTERVAL '1095' DAY
    HAVING count(*) > 0
),

-- A week in which nobody at all checked in is one of which nothing was handed in, or there was nothing.
told AS (
    SELECT DISTINCT date_trunc('week', occurred_on) AS week_on
    FROM stg_activity_attendance
    WHERE occurred_on >= $as_of - INTERVAL '1095' DAY
),

-- What is held in a vacation is nobody's duty and says little of a term.
day AS (
    SELECT int_calendar_day.campus, int_calendar_day.grade, int_calendar_day.date, int_calendar_day.term, int_calendar_day.kind
    FROM int_calendar_day
    CROSS JOIN covered
    WHERE int_calendar_day.term IS NOT NULL AND int_calendar_day.kind <> 'vacation'
        AND int_calendar_day.date >= covered.first_on AND int_calendar_day.date < $as_of
),

term AS (
    SELECT
        campus,
        grade,
        term,
        min(date) AS from_on,
        max(date) AS to_on,
        sum(CASE WHEN kind IN ('teaching', 'makeup') THEN 1 ELSE 0 END) AS day_n,
        row_number() OVER (PARTITION BY campus, grade ORDER BY min(date)) AS term_no
    FROM day
    LEFT JOIN told ON told.week_on = date_trunc('week', day.date)
    GROUP BY campus, grade, term
    -- A term of which half is missing would read as one in which nobody came.
    HAVING sum(CASE WHEN kind IN ('teaching', 'makeup') THEN 1 ELSE 0 END) >= ${term_days}
        AND 2 * count(DISTINCT told.week_on) >= count(DISTINCT date_trunc('week', day.date))
),

entry AS (
    SELECT student_key, min(valid_from) AS entered_on
    FROM stg_enrollment_span
    GROUP BY student_key
),

studied AS (
    SELECT
        dim_student.student_key,
        dim_student.campus,
        dim_student.grade,
        term.term,
        term.term_no,
        term.day_n,
        term.from_on,
        term.to_on
    FROM dim_student
    INNER JOIN term ON term.grade = dim_student.grade AND term.campus = coalesce(dim_student.campus, '')
    LEFT JOIN entry ON entry.student_key = dim_student.student_key
    -- A school that keeps no spans has its students from September of their year on.
    WHERE dim_student.as_of_on = $as_of
        AND term.from_on + INTERVAL '${entry_days}' DAY >= coalesce(entry.entered_on, make_date(dim_student.grade, 9, 1))
),

-- Who was on leave of school or in an internship took part in nothing there, and has not lost interest.
away AS (
    SELECT DISTINCT studied.student_key, studied.term
    FROM studied
    INNER JOIN stg_enrollment_span ON stg_enrollment_span.student_key = studied.student_key
    WHERE stg_enrollment_span.status NOT IN ('enrolled', 'extended')
        AND stg_enrollment_span.valid_from <= studied.to_on
        AND (stg_enrollment_span.valid_to IS NULL OR stg_enrollment_span.valid_to >= studied.from_on)

    UNION

    SELECT studied.student_key, studied.term
    FROM studied
    INNER JOIN stg_internship_placement ON stg_internship_placement.student_key = studied.student_key
    WHERE stg_internship_placement.begins_on <= studied.to_on AND stg_internship_placement.ends_on >= studied.from_on
),

attended AS (
    SELECT stg_activity_attendance.student_key, stg_activity_attendance.activity_id, day.term
    FROM stg_activity_attendance
    INNER JOIN dim_student ON dim_student.student_key = stg_activity_attendance.student_key AND dim_student.as_of_on = $as_of
    INNER JOIN day ON day.date = stg_activity_attendance.occurred_on
        AND day.grade = dim_student.grade AND day.campus = coalesce(dim_student.campus, '')
    WHERE stg_activity_attendance.occurred_on >= $as_of - INTERVAL '1095' DAY
    GROUP BY stg_activity_attendance.student_key, stg_activity_attendance.activity_id, day.term
),

took_part AS (
    SELECT
        attended.student_key,
        attended.term,
        count(*) AS activity_n,
        sum(CASE WHEN activity.kind = 'volunteering' THEN 1 ELSE 0 END) AS volunteer_n
    FROM attended
    LEFT JOIN stg_activity AS activity ON activity.activity_id = attended.activity_id
    GROUP BY attended.student_key, attended.term
)

SELECT
    studied.student_key,
    studied.term,
    studied.term_no,
    studied.day_n,
    coalesce(took_part.activity_n, 0) AS activity_n,
    coalesce(took_part.volunteer_n, 0) AS volunteer_n
FROM studied
LEFT JOIN took_part ON took_part.student_key = studied.student_key AND took_part.term = studied.term
LEFT ANTI JOIN away ON away.student_key = studied.student_key AND away.term = studied.term

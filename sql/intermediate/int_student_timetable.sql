/*---
kind         = "table"
about        = "Classes that each student's timetable held over the last four weeks, by the calendar of teaching days and its terms (应上课次数)."
about_zh     = "每名学生近四周课表上应上的课次数，依据教学日校历及其学期。"
owner        = "academic_affairs_office"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "personal" }
slot_n      = { about = "Classes due by the timetable.", about_zh = "按课表应上的课次数。" }
evening_n   = { about = "Of these in the evening: evening classes and evening study (晚课、晚自习).", about_zh = "其中在晚上的：晚课和晚自习。" }
---*/

WITH cohort AS (
    SELECT DISTINCT class, grade, coalesce(campus, '') AS campus
    FROM dim_student
    WHERE as_of_on = $as_of
),

-- A class has another timetable each term, and registers hold several terms at once.
slot AS (
    SELECT
        stg_course_section.class,
        stg_course_section.term,
        stg_timetable_slot.weekday,
        count(*) AS slot_n,
        sum(CASE WHEN stg_timetable_slot.kind IN ('evening_class', 'evening_study') THEN 1 ELSE 0 END) AS evening_n
    FROM stg_timetable_slot
    INNER JOIN stg_course_section ON stg_course_section.section_id = stg_timetable_slot.section_id
    GROUP BY stg_course_section.class, stg_course_section.term, stg_timetable_slot.weekday
),

-- A day on which the classes of another are made up has that other's timetable.
taught AS (
    SELECT
        int_calendar_day.grade,
        int_calendar_day.campus,
        int_calendar_day.term,
        (arrow_cast(coalesce(int_calendar_day.makeup_for, int_calendar_day.date), 'Int32') + 3) % 7 + 1 AS weekday,
        count(*) AS day_n
    FROM int_calendar_day
    WHERE int_calendar_day.kind IN ('teaching', 'makeup')
        AND int_calendar_day.date >= $as_of - INTERVAL '28' DAY AND int_calendar_day.date < $as_of
    GROUP BY int_calendar_day.grade, int_calendar_day.campus, int_calendar_day.term, (arrow_cast(coalesce(int_calendar_day.makeup_for, int_calendar_day.date), 'Int32') + 3) % 7 + 1
),

due AS (
    SELECT
        cohort.class,
        cohort.grade,
        cohort.campus,
        sum(taught.day_n * slot.slot_n) AS slot_n,
        sum(taught.day_n * slot.evening_n) AS evening_n
    FROM cohort
    INNER JOIN slot ON slot.class = cohort.class
    -- A calendar that names no term has one timetable.
    INNER JOIN taught
        ON taught.grade = cohort.grade AND taught.campus = cohort.campus AND taught.weekday = slot.weekday
        AND coalesce(taught.term, slot.term) = slot.term
    GROUP BY cohort.class, cohort.grade, cohort.campus
)

SELECT dim_student.student_key, due.slot_n, due.evening_n
FROM dim_student
INNER JOIN due ON due.class = dim_student.class AND due.grade = dim_student.grade AND due.campus = coalesce(dim_student.campus, '')
WHERE dim_student.as_of_on = $as_of

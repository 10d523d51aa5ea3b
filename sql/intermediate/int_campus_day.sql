/*---
kind         = "table"
about        = "Student days of the last ten weeks with what the calendar says of them."
owner        = "platform"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
is_on_campus = { about = "Whether anything was seen of the student that day: a day away is no evidence.", class = "trace" }
is_teaching  = { about = "Whether the day is a teaching day of the calendar." }
---*/

SELECT
    int_student_day.student_key,
    int_student_day.occurred_on,
    int_student_day.meal_n,
    int_student_day.breakfast_n,
    int_student_day.canteen_fen,
    int_student_day.spent_fen,
    int_student_day.card_n,
    int_student_day.library_in_n,
    int_student_day.library_minutes,
    int_student_day.night_n,
    int_student_day.event_n,
    int_student_day.event_n > 0 AS is_on_campus,
    coalesce(stg_calendar_day.kind IN ('teaching', 'makeup'), TRUE) AS is_teaching
FROM int_student_day
-- A school without a calendar keeps its days.
LEFT JOIN stg_calendar_day ON stg_calendar_day.date = int_student_day.occurred_on
WHERE int_student_day.occurred_on >= $as_of - INTERVAL '70' DAY

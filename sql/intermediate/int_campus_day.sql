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
is_weekend   = { about = "Whether the day is a free weekend day, no holiday." }
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
    int_student_day.breakfast_minute,
    int_student_day.lunch_minute,
    int_student_day.dinner_minute,
    int_student_day.shower_minute,
    int_student_day.first_minute,
    int_student_day.evening_last_in_minute,
    int_student_day.study_water_n,
    int_student_day.balance_fen,
    int_student_day.is_low_balance,
    int_student_day.double_in_n,
    int_student_day.dorm_passages,
    coalesce(int_calendar_day.kind = 'weekend', FALSE) AS is_weekend,
    coalesce(int_calendar_day.kind IN ('teaching', 'makeup'), TRUE) AS is_teaching
FROM int_student_day
-- Whoever is not in the register has no days here; a school without a calendar keeps its days.
INNER JOIN dim_student ON dim_student.student_key = int_student_day.student_key AND dim_student.as_of_on = $as_of
LEFT JOIN int_calendar_day ON int_calendar_day.date = int_student_day.occurred_on
    AND int_calendar_day.grade = dim_student.grade AND int_calendar_day.campus = coalesce(dim_student.campus, '')
WHERE int_student_day.occurred_on >= $as_of - INTERVAL '70' DAY

/*---
kind         = "table"
about        = "Student days of the last ten weeks with what the calendar says of them."
about_zh     = "近十周的学生日，附校历对当天的说明。"
owner        = "platform"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
is_on_campus = { about = "Whether anything was seen of the student that day: a day away is no evidence.", about_zh = "当天是否有该生的任何记录：离校的一天不是证据。", class = "trace" }
is_weekend   = { about = "Whether the day is a free weekend day, no holiday.", about_zh = "是否为休息的周末，不含节假日。" }
is_free      = { about = "Whether the day is a weekend, a holiday or in a vacation.", about_zh = "是否为周末、节假日或假期。" }
is_teaching  = { about = "Whether the day is a teaching day of the calendar.", about_zh = "是否为校历上的教学日。" }
---*/

-- Small numbers are kept small: these are the rows that stay in memory while a date is built.
SELECT
    int_student_day.student_key,
    int_student_day.occurred_on,
    CAST(int_student_day.meal_n AS SMALLINT) AS meal_n,
    CAST(int_student_day.breakfast_n AS SMALLINT) AS breakfast_n,
    CAST(int_student_day.card_n AS SMALLINT) AS card_n,
    CAST(int_student_day.library_in_n AS SMALLINT) AS library_in_n,
    CAST(int_student_day.library_minutes AS SMALLINT) AS library_minutes,
    CAST(int_student_day.library_open_n AS SMALLINT) AS library_open_n,
    CAST(int_student_day.night_n AS SMALLINT) AS night_n,
    CAST(int_student_day.event_n AS SMALLINT) AS event_n,
    CAST(int_student_day.breakfast_minute AS SMALLINT) AS breakfast_minute,
    CAST(int_student_day.lunch_minute AS SMALLINT) AS lunch_minute,
    CAST(int_student_day.dinner_minute AS SMALLINT) AS dinner_minute,
    CAST(int_student_day.shower_minute AS SMALLINT) AS shower_minute,
    CAST(int_student_day.first_minute AS SMALLINT) AS first_minute,
    CAST(int_student_day.evening_last_in_minute AS SMALLINT) AS evening_last_in_minute,
    CAST(int_student_day.study_water_n AS SMALLINT) AS study_water_n,
    CAST(int_student_day.double_in_n AS SMALLINT) AS double_in_n,
    CAST(int_student_day.face_card_n AS SMALLINT) AS face_card_n,
    CAST(int_student_day.canteen_fen AS INT) AS canteen_fen,
    CAST(int_student_day.spent_fen AS INT) AS spent_fen,
    CAST(int_student_day.balance_fen AS INT) AS balance_fen,
    int_student_day.is_low_balance,
    int_student_day.dorm_passages,
    int_student_day.first_seen_at,
    int_student_day.last_seen_at,
    int_student_day.last_seen_source,
    int_student_day.event_n > 0 AS is_on_campus,
    coalesce(int_calendar_day.kind = 'weekend', FALSE) AS is_weekend,
    coalesce(int_calendar_day.kind IN ('weekend', 'holiday', 'vacation'), FALSE) AS is_free,
    coalesce(int_calendar_day.kind IN ('teaching', 'makeup'), TRUE) AS is_teaching
FROM int_student_day
-- Whoever is not in the register has no days here; a school without a calendar keeps its days.
INNER JOIN dim_student ON dim_student.student_key = int_student_day.student_key AND dim_student.as_of_on = $as_of
LEFT JOIN int_calendar_day ON int_calendar_day.date = int_student_day.occurred_on
    AND int_calendar_day.grade = dim_student.grade AND int_calendar_day.campus = coalesce(dim_student.campus, '')
WHERE int_student_day.occurred_on >= $as_of - INTERVAL '70' DAY

/*---
kind         = "table"
about        = "The calendar as it holds for each campus and year of entry: a row of their own goes before the row for everybody (校历)."
about_zh     = "对各校区、各入学年份有效的校历：有专门一行的优先于对所有人的那一行。"
owner        = "academic_affairs_office"
materialized = "view"
cached       = true
purpose      = ["portrait", "trend_warning", "service", "cockpit", "public_safety"]

[columns]
campus = { about = "Campus, empty text where students have none.", about_zh = "校区；学生没有校区时为空文本。" }
grade  = { about = "Year of entry.", about_zh = "入学年份。" }
kind   = { about = "Kind of day.", about_zh = "是什么日子。" }
makeup_for = { about = "Day whose classes a makeup day takes over; empty on all others.", about_zh = "补课日补的是哪一天的课；其他日子为空。" }
---*/

WITH cohort AS (
    SELECT DISTINCT coalesce(campus, '') AS campus, grade
    FROM dim_student
    WHERE as_of_on = $as_of
),

fitting AS (
    SELECT
        cohort.campus,
        cohort.grade,
        stg_calendar_day.date,
        stg_calendar_day.term,
        stg_calendar_day.teaching_week,
        stg_calendar_day.kind,
        stg_calendar_day.makeup_for,
        row_number() OVER (
            PARTITION BY cohort.campus, cohort.grade, stg_calendar_day.date
            ORDER BY stg_calendar_day.cohort_scope NULLS LAST, stg_calendar_day.campus NULLS LAST, stg_calendar_day.kind
        ) AS place
    FROM cohort
    INNER JOIN stg_calendar_day
        ON coalesce(stg_calendar_day.campus, cohort.campus) = cohort.campus
        AND coalesce(stg_calendar_day.cohort_scope, CAST(cohort.grade AS VARCHAR)) = CAST(cohort.grade AS VARCHAR)
)

SELECT campus, grade, date, term, teaching_week, kind, makeup_for
FROM fitting
WHERE place = 1

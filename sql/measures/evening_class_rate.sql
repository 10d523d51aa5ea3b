/*---
kind      = "measure"
about     = "Evening classes and evening study attended, late or not, over those in which the roll was called and no leave was given, over 28 days; covered is the share of the timetable's evenings in which it was called (晚课晚自习到课率)."
about_zh  = "近28天里，晚课和晚自习到课（含迟到）的次数占应到次数的比例。只计点过名的，请假的不算应到；覆盖是指课表中的晚课晚自习点过名的比例。"
title_zh  = "晚课晚自习到课率"
title_en  = "Evening attendance"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "class"
unit      = "share"
window    = "28d"
n_min     = 4
cov_min   = 0.0
mad_floor = 0.1
class     = "trace"
---*/

-- Which hours of a section are evenings says the timetable; the same hour of another weekday is one too, so that a made-up day fits.
WITH evening AS (
    SELECT DISTINCT
        section_id,
        60 * CAST(split_part(begins, ':', 1) AS BIGINT) + CAST(split_part(begins, ':', 2) AS BIGINT) AS minute
    FROM stg_timetable_slot
    WHERE kind IN ('evening_class', 'evening_study') AND begins IS NOT NULL
),

called AS (
    SELECT
        stg_class_attendance.student_key,
        sum(CASE WHEN stg_class_attendance.state IN ('present', 'late') THEN 1 ELSE 0 END) AS there_n,
        sum(CASE WHEN stg_class_attendance.state <> 'leave' THEN 1 ELSE 0 END) AS due_n,
        count(*) AS called_n
    FROM stg_class_attendance
    INNER JOIN evening ON evening.section_id = stg_class_attendance.section_id AND evening.minute = stg_class_attendance.minute_of_day
    WHERE stg_class_attendance.occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY stg_class_attendance.student_key
)

SELECT
    called.student_key,
    CAST(called.there_n AS DECIMAL(18, 6)) / nullif(called.due_n, 0) AS value,
    called.due_n AS n,
    coalesce(least(1.0, CAST(called.called_n AS DECIMAL(18, 6)) / nullif(int_student_timetable.evening_n, 0)), 1.0) AS cov
FROM called
LEFT JOIN int_student_timetable ON int_student_timetable.student_key = called.student_key

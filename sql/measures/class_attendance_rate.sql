/*---
kind      = "measure"
about     = "Classes attended, late or not, over classes in which the roll was called and no leave was given, over 28 days; covered is the share of the timetable in which it was called (到课率)."
about_zh  = "近28天里，到课（含迟到）的次数占应到次数的比例。只计点过名的课，请假的不算应到；覆盖是指课表中点过名的课所占比例。"
title_zh  = "到课率"
title_en  = "Class attendance"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "class"
unit      = "share"
window    = "28d"
n_min     = 6
cov_min   = 0.0
mad_floor = 0.05
class     = "trace"
---*/

WITH called AS (
    SELECT
        student_key,
        sum(CASE WHEN state IN ('present', 'late') THEN 1 ELSE 0 END) AS there_n,
        sum(CASE WHEN state <> 'leave' THEN 1 ELSE 0 END) AS due_n,
        count(*) AS called_n
    FROM stg_class_attendance
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
    GROUP BY student_key
)

SELECT
    called.student_key,
    CAST(called.there_n AS DECIMAL(18, 6)) / nullif(called.due_n, 0) AS value,
    called.due_n AS n,
    -- A school without a timetable cannot say in how many classes the roll was not called.
    coalesce(least(1.0, CAST(called.called_n AS DECIMAL(18, 6)) / nullif(int_student_timetable.slot_n, 0)), 1.0) AS cov
FROM called
LEFT JOIN int_student_timetable ON int_student_timetable.student_key = called.student_key

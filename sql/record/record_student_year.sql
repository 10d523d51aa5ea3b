/*---
kind         = "table"
about        = "What a student did in each academic year, one row a figure: the growth archive (成长档案)."
about_zh     = "成长档案：学生每个学年做了什么，一项数字一行。"
owner        = "student_affairs_office"
materialized = "whole"
grain        = ["student_key", "academic_year", "item"]
subject      = "student_key"
purpose      = ["portrait", "evaluation"]

[columns]
academic_year = { about = "Academic year, as 2025-2026.", about_zh = "学年，如 2025-2026。", class = "trace" }
item          = { about = "What is counted: activities and hours by dimension, awards, talks, mean score.", about_zh = "统计的是什么：各类活动和时长、获奖、谈话、平均分。", class = "trace" }
value         = { about = "The figure, in the item's own unit.", about_zh = "数字，以该项自己的单位计。", class = "trace" }
n             = { about = "Rows behind it.", about_zh = "数字背后的行数。", class = "trace" }
---*/

-- Who checks in twice was there once. Every check-in has one entry under its plain number, whatever the activity is called by now.
WITH attended AS (
    SELECT
        record_student_event.student_key,
        record_student_event.academic_year,
        record_student_event.occurred_on,
        stg_activity.activity_id,
        stg_activity.dimension,
        stg_activity.kind,
        max(stg_activity_attendance.hour_tenths) AS hour_tenths
    FROM record_student_event
    INNER JOIN stg_activity_attendance ON concat('activity/', stg_activity_attendance.checkin_id) = record_student_event.event_id
    INNER JOIN stg_activity ON stg_activity.activity_id = stg_activity_attendance.activity_id AND stg_activity.superseded_at IS NULL
    WHERE record_student_event.kind = 'activity'
    GROUP BY record_student_event.student_key, record_student_event.academic_year, record_student_event.occurred_on,
        stg_activity.activity_id, stg_activity.dimension, stg_activity.kind
),

scored AS (
    SELECT student_key, substr(term, 1, 9) AS academic_year, score * credit_tenths AS points, credit_tenths
    FROM stg_grade_record
    WHERE superseded_at IS NULL AND exam_kind = 'final'
)

SELECT student_key, academic_year, concat('activity_', dimension, '_n') AS item, CAST(count(*) AS DOUBLE) AS value, count(*) AS n
FROM attended
WHERE dimension IS NOT NULL
GROUP BY student_key, academic_year, dimension

UNION ALL

SELECT student_key, academic_year, concat('activity_', dimension, '_hours'), CAST(sum(hour_tenths) AS DOUBLE) / 10, count(*)
FROM attended
WHERE dimension IS NOT NULL
GROUP BY student_key, academic_year, dimension

UNION ALL

SELECT student_key, academic_year, 'activity_n', CAST(count(*) AS DOUBLE), count(*)
FROM attended
GROUP BY student_key, academic_year

UNION ALL

SELECT student_key, academic_year, 'volunteer_hours', CAST(sum(hour_tenths) AS DOUBLE) / 10, count(*)
FROM attended
WHERE kind = 'volunteering'
GROUP BY student_key, academic_year

UNION ALL

SELECT student_key, academic_year, concat(kind, '_n'), CAST(count(*) AS DOUBLE), count(*)
FROM record_student_event
WHERE superseded_on IS NULL
    AND (kind IN ('award', 'talk', 'reception') OR (kind = 'leave' AND step = 'approved') OR (kind = 'ticket' AND step = 'reported'))
GROUP BY student_key, academic_year, kind

UNION ALL

SELECT student_key, academic_year, 'mean_score', CAST(sum(points) AS DOUBLE) / nullif(sum(credit_tenths), 0), count(*)
FROM scored
GROUP BY student_key, academic_year

UNION ALL

SELECT student_key, academic_year, 'credits', CAST(sum(CASE WHEN points >= 60 * credit_tenths THEN credit_tenths ELSE 0 END) AS DOUBLE) / 10, count(*)
FROM scored
GROUP BY student_key, academic_year

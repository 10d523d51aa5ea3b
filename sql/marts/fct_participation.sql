/*---
kind         = "table"
about        = "Attendance at activities with what kind of activity it was and in which role (活动参与)."
owner        = "youth_league_committee"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "recommendation", "evaluation", "cockpit"]

[columns]
role = { about = "Role given at sign-up; empty without one." }
---*/

WITH role AS (
    SELECT activity_id, student_key, min(role) AS role
    FROM stg_activity_signup
    GROUP BY activity_id, student_key
)

SELECT
    stg_activity_attendance.student_key,
    stg_activity_attendance.activity_id,
    stg_activity_attendance.occurred_on,
    stg_activity_attendance.checked_in_at,
    stg_activity_attendance.method,
    stg_activity_attendance.hour_tenths,
    activity.title,
    activity.kind,
    activity.dimension,
    role.role
FROM stg_activity_attendance
-- A check-in whose activity is not announced, or whom nobody signed up, stays.
LEFT JOIN stg_activity AS activity ON activity.activity_id = stg_activity_attendance.activity_id
LEFT JOIN role ON role.activity_id = stg_activity_attendance.activity_id AND role.student_key = stg_activity_attendance.student_key
WHERE stg_activity_attendance.occurred_on >= $as_of - INTERVAL '180' DAY

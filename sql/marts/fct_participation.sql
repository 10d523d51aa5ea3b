/*---
kind         = "table"
about        = "Attendance at activities with what kind of activity it was and in which role (活动参与)."
about_zh     = "活动签到，附活动的种类和参加的身份。"
owner        = "youth_league_committee"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "recommendation", "evaluation", "cockpit"]

[columns]
role = { about = "Role given at sign-up; empty without one.", about_zh = "报名时的身份；没有报名时为空。" }
---*/

WITH role AS (
    SELECT activity_id, student_key, min(role) AS role
    FROM stg_activity_signup
    GROUP BY activity_id, student_key
),

-- Who checks in twice was there once.
came AS (
    SELECT *, row_number() OVER (PARTITION BY student_key, activity_id, occurred_on ORDER BY checked_in_at, checkin_id) AS place
    FROM stg_activity_attendance
    WHERE occurred_on >= $as_of - INTERVAL '180' DAY
)

SELECT
    came.student_key,
    came.activity_id,
    came.occurred_on,
    came.checked_in_at,
    came.method,
    came.hour_tenths,
    activity.title,
    activity.kind,
    activity.dimension,
    role.role
FROM came
-- A check-in whose activity is not announced, or whom nobody signed up, stays.
LEFT JOIN stg_activity AS activity ON activity.activity_id = came.activity_id
LEFT JOIN role ON role.activity_id = came.activity_id AND role.student_key = came.student_key
WHERE came.place = 1

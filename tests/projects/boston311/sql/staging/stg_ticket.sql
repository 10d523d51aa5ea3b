/*---
kind         = "table"
about        = "The city's requests as the standard table of tickets."
owner        = "city"
materialized = "view"
subject      = "student_key"
purpose      = ["service", "cockpit"]

[columns]
student_key  = { about = "Nobody: the city's export names no persons.", class = "personal" }
channel      = { about = "Way by which it came." }
category     = { about = "Reason." }
origin       = { about = "proactive if staff raised it, else reactive." }
office       = { about = "Department." }
building_id  = { about = "Neighbourhood, in place of a building." }
room_id      = { about = "Empty.", class = "personal" }
satisfaction = { about = "Empty: the city does not ask.", class = "internal" }
---*/

SELECT
    ticket_id,
    CAST(NULL AS BIGINT) AS student_key,
    source AS channel,
    reason AS category,
    CASE WHEN source IN ('employee', 'worker_app', 'system') THEN 'proactive' ELSE 'reactive' END AS origin,
    department AS office,
    neighborhood AS building_id,
    CAST(NULL AS VARCHAR) AS room_id,
    submitted_at,
    due_at,
    resolved_at,
    status,
    CAST(NULL AS VARCHAR) AS satisfaction,
    occurred_at,
    known_at,
    superseded_at,
    file_no,
    row_no
FROM stg_service_request

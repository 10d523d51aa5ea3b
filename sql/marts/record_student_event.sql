/*---
kind         = "table"
about        = "Append-only timeline of what happened with a student: leave, requests, beds, cards (过程记录)."
owner        = "student_affairs_office"
materialized = "whole"
grain        = ["event_id"]
subject      = "student_key"
purpose      = ["portrait", "service"]

[columns]
event_id    = { about = "Id of the entry: source and its own number.", class = "trace" }
kind        = { about = "leave, ticket, bed or card_status.", class = "trace" }
step        = { about = "What happened, as a word of the source's code list.", class = "trace" }
detail      = { about = "Kind of leave, category of request or room.", class = "trace" }
occurred_at = { about = "When it happened; the beginning of the campus day where only the day is known.", class = "trace" }
occurred_on = { about = "Campus day on which it happened.", class = "trace" }
known_at    = { about = "When the platform could know it.", class = "trace" }
source      = { about = "Table that it comes from.", class = "trace" }
trust       = { about = "device, system, staff or self: who says so.", class = "trace" }
---*/

WITH leave_version AS (
    SELECT *, row_number() OVER (PARTITION BY leave_id ORDER BY known_at DESC, returned_at DESC, file_no DESC, row_no DESC) AS place
    FROM stg_leave_record
),

ticket_owner AS (
    SELECT ticket_id, max(student_key) AS student_key, max(category) AS category
    FROM stg_ticket
    GROUP BY ticket_id
),

entry AS (
    SELECT concat('leave/', leave_id, '/approved') AS event_id, student_key, 'leave' AS kind, 'approved' AS step,
        leave_kind AS detail, approved_at AS occurred_at, known_at, 'leave_record' AS source, 'staff' AS trust
    FROM leave_version
    WHERE place = 1

    UNION ALL

    SELECT concat('leave/', leave_id, '/returned'), student_key, 'leave', 'returned',
        leave_kind, returned_at, known_at, 'leave_record', 'staff'
    FROM leave_version
    WHERE place = 1 AND returned_at IS NOT NULL

    UNION ALL

    SELECT concat('ticket/', stg_ticket_event.event_id), ticket_owner.student_key, 'ticket', stg_ticket_event.stage,
        ticket_owner.category, stg_ticket_event.occurred_at, stg_ticket_event.known_at, 'ticket_event', 'system'
    FROM stg_ticket_event
    INNER JOIN ticket_owner ON ticket_owner.ticket_id = stg_ticket_event.ticket_id
    WHERE ticket_owner.student_key IS NOT NULL

    UNION ALL

    SELECT concat('bed/', CAST(student_key AS VARCHAR), '/', CAST(moved_in_on AS VARCHAR)), student_key, 'bed', 'moved_in',
        room_id, day_start(moved_in_on), known_at, 'bed_assignment', 'staff'
    FROM stg_bed_assignment
    WHERE superseded_at IS NULL

    UNION ALL

    SELECT concat('card/', status_id), student_key, 'card_status', card_status,
        CAST(NULL AS VARCHAR), occurred_at, known_at, 'card_status', 'system'
    FROM stg_card_status
)

SELECT *, campus_on(occurred_at) AS occurred_on
FROM entry

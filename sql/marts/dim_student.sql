/*---
kind         = "table"
about        = "Every student as of a date: college, class, bed, responsible counselor. No name, no number; of whom a death was entered, not from that day on (学生维表)."
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "service"]

[columns]
college_name  = { about = "Name of the college.", class = "personal" }
building_id   = { about = "Building of the student's bed; empty without one." }
building_name = { about = "Name of that building.", class = "personal" }
floor         = { about = "Floor of the bed.", class = "personal" }
room_id       = { about = "Room of the bed." }
leave_kind    = { about = "Kind of the approved leave that covers the night before the date; empty without one." }
is_on_leave   = { about = "Whether there is such a leave, of whatever kind." }
---*/

WITH bed AS (
    SELECT
        stg_bed_assignment.student_key,
        stg_bed_assignment.room_id,
        room.floor,
        room.building_id,
        building.building_name,
        row_number() OVER (
            PARTITION BY stg_bed_assignment.student_key ORDER BY stg_bed_assignment.moved_in_on DESC, stg_bed_assignment.room_id
        ) AS place
    FROM stg_bed_assignment
    LEFT JOIN stg_room AS room ON room.room_id = stg_bed_assignment.room_id
    LEFT JOIN stg_building AS building ON building.building_id = room.building_id
    WHERE stg_bed_assignment.moved_in_on < $as_of
        AND (stg_bed_assignment.moved_out_on IS NULL OR stg_bed_assignment.moved_out_on >= $as_of)
),

-- The night before the date: from 22:00 of the day before until its end.
away AS (
    SELECT student_key, min(leave_kind) AS leave_kind
    FROM stg_leave_record
    WHERE begins_at < day_start($as_of)
        AND ends_at >= day_start($as_of) - INTERVAL '6' HOUR
        AND (returned_at IS NULL OR returned_at >= day_start($as_of) - INTERVAL '6' HOUR)
    GROUP BY student_key
),

-- Who has died is counted nowhere from the day on that people entered; the register says so weeks later.
gone AS (
    SELECT DISTINCT student_key
    FROM stg_student_departure
    WHERE gone_on <= $as_of
)

SELECT
    stg_student.student_key,
    stg_student.college,
    org_unit.unit_name AS college_name,
    stg_student.major,
    stg_student.class,
    stg_student.grade,
    stg_student.study_stage,
    stg_student.campus,
    stg_student.boarder,
    stg_student.status,
    stg_student.counselor_key,
    bed.building_id,
    bed.building_name,
    bed.floor,
    bed.room_id,
    away.leave_kind,
    away.student_key IS NOT NULL AS is_on_leave
FROM stg_student
-- Every student stays, with or without a college's name, a bed, a leave.
LEFT JOIN stg_org_unit AS org_unit ON org_unit.unit_id = stg_student.college
LEFT JOIN bed ON bed.student_key = stg_student.student_key AND bed.place = 1
LEFT JOIN away ON away.student_key = stg_student.student_key
LEFT JOIN gone ON gone.student_key = stg_student.student_key
WHERE gone.student_key IS NULL

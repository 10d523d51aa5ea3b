/*---
kind         = "table"
about        = "Every student as of a date: college, class, bed, responsible counselor. No name, no number; who has left, or of whom a death was entered, not from that day on (学生维表)."
about_zh     = "基准日的每名学生：学院、班级、床位、责任辅导员。没有姓名和学号；已离校的，或登记去世的，自当日起不在其中。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "service"]

[columns]
status        = { about = "Status of enrolment on that date: enrolled, extended (延期), suspended (休学) or retained (保留学籍).", about_zh = "当日学籍状态：enrolled 在籍、extended 延期、suspended 休学或 retained 保留学籍。", class = "personal" }
is_enrolled   = { about = "Whether the student studies here: enrolled or extended. Only these are expected on campus.", about_zh = "是否在校就读：在籍或延期。只有这些学生被认为应在校。", class = "personal" }
college_name  = { about = "Name of the college.", about_zh = "学院名称。", class = "personal" }
building_id   = { about = "Building of the student's bed; empty without one.", about_zh = "床位所在楼栋；没有床位时为空。" }
building_name = { about = "Name of that building.", about_zh = "该楼栋名称。", class = "personal" }
floor         = { about = "Floor of the bed.", about_zh = "床位所在楼层。", class = "personal" }
room_id       = { about = "Room of the bed.", about_zh = "床位所在房间。" }
leave_kind    = { about = "Kind of the approved leave that covers the night before the date; empty without one.", about_zh = "覆盖基准日前一夜的已批准请假的种类；没有时为空。" }
is_on_leave   = { about = "Whether there is such a leave, of whatever kind.", about_zh = "是否有这样的请假，不论种类。" }
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
),

span AS (
    SELECT
        student_key,
        status,
        known_at,
        row_number() OVER (PARTITION BY student_key ORDER BY valid_from DESC, span_id DESC) AS place
    FROM stg_enrollment_span
    WHERE valid_from <= $as_of AND (valid_to IS NULL OR valid_to >= $as_of)
),

-- Spans say since when; the register only how it is now. Until the newer span has come, the register that says that somebody
-- does not study is believed.
enrolment AS (
    SELECT
        stg_student.*,
        CASE WHEN span.status IS NULL THEN stg_student.status
            WHEN stg_student.known_at > span.known_at AND stg_student.status NOT IN ('enrolled', 'extended') THEN stg_student.status
            ELSE span.status END AS status_now
    FROM stg_student
    LEFT JOIN span ON span.student_key = stg_student.student_key AND span.place = 1
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
    stg_student.status_now AS status,
    stg_student.status_now IN ('enrolled', 'extended') AS is_enrolled,
    stg_student.counselor_key,
    bed.building_id,
    bed.building_name,
    bed.floor,
    bed.room_id,
    away.leave_kind,
    away.student_key IS NOT NULL AS is_on_leave
FROM enrolment AS stg_student
-- Every student on the roll stays, with or without a college's name, a bed, a leave.
LEFT JOIN stg_org_unit AS org_unit ON org_unit.unit_id = stg_student.college
LEFT JOIN bed ON bed.student_key = stg_student.student_key AND bed.place = 1
LEFT JOIN away ON away.student_key = stg_student.student_key
LEFT JOIN gone ON gone.student_key = stg_student.student_key
-- Who has left is in no list, offer, visit or figure from that day on; who is on leave of school stays on the roll.
WHERE gone.student_key IS NULL AND stg_student.status_now NOT IN ('withdrawn', 'graduated', 'completed', 'deceased')

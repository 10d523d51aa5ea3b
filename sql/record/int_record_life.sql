/*---
kind         = "table"
about        = "Entries of the record about living here: leave, beds, moves, holidays, cards (过程记录: 生活)."
about_zh     = "过程记录中关于在校生活的条目：请假、床位、调宿、假期、校园卡。"
owner        = "student_affairs_office"
materialized = "view"
subject      = "student_key"
purpose      = ["portrait", "service"]

[columns]
event_id    = { about = "Id of the entry: source and its own number.", about_zh = "条目编号：来源及其自己的编号。", class = "trace" }
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "personal" }
kind        = { about = "What it is about: leave, bed, grade, activity, talk and so on.", about_zh = "关于什么：请假、床位、成绩、活动、谈话等。", class = "trace" }
step        = { about = "What happened, as a word of the source.", about_zh = "发生了什么，用来源自己的词。", class = "trace" }
title_zh    = { about = "What happened, in Chinese.", about_zh = "发生了什么，中文。", class = "trace" }
title_en    = { about = "What happened, in English.", about_zh = "发生了什么，英文。", class = "trace" }
detail_zh   = { about = "Which, in Chinese; rooms and titles as they are.", about_zh = "具体是哪一个，中文；房间和标题照原样。", class = "trace" }
detail_en   = { about = "Which, in English.", about_zh = "具体是哪一个，英文。", class = "trace" }
occurred_at = { about = "When it happened; the beginning of the campus day where only the day is known.", about_zh = "发生的时间；只知道哪一天的，取该校园日开始之时。", class = "trace" }
known_at    = { about = "When the platform could know it.", about_zh = "平台何时可以知道。", class = "trace" }
source      = { about = "Pipeline that it comes from.", about_zh = "来自哪个来源。", class = "trace" }
trust       = { about = "device, system, staff or self: who says so.", about_zh = "由谁说：device 设备、system 系统、staff 教职工或 self 本人。", class = "trace" }
is_milestone = { about = "Whether it belongs into the archive of a whole study.", about_zh = "是否进入整个学业的档案。", class = "trace" }
superseded_at = { about = "When the register took this version of the row back or put another in its place; empty while it holds.", about_zh = "登记册收回这一行的这个版本、或以另一版本取代它的时间；仍有效的为空。", class = "trace" }
---*/

-- Every version of a row: what was known once is not forgotten when the row is corrected or leaves its register.
SELECT concat('leave/', leave_id, '/approved') AS event_id, student_key, 'leave' AS kind, 'approved' AS step,
    '请假获批' AS title_zh, 'Leave approved' AS title_en,
    CASE leave_kind WHEN 'personal' THEN '事假' WHEN 'sick' THEN '病假' WHEN 'internship' THEN '实习' WHEN 'away' THEN '离校' ELSE leave_kind END AS detail_zh,
    CASE leave_kind WHEN 'personal' THEN 'personal leave' WHEN 'sick' THEN 'sick leave' WHEN 'internship' THEN 'internship' WHEN 'away' THEN 'away from campus' ELSE leave_kind END AS detail_en,
    approved_at AS occurred_at, known_at, 'leave_record' AS source, 'staff' AS trust, FALSE AS is_milestone, superseded_at
FROM stg_leave_record

UNION ALL

SELECT concat('leave/', leave_id, '/returned'), student_key, 'leave', 'returned', '已销假', 'Reported back from leave',
    CASE leave_kind WHEN 'personal' THEN '事假' WHEN 'sick' THEN '病假' WHEN 'internship' THEN '实习' WHEN 'away' THEN '离校' ELSE leave_kind END,
    CASE leave_kind WHEN 'personal' THEN 'personal leave' WHEN 'sick' THEN 'sick leave' WHEN 'internship' THEN 'internship' WHEN 'away' THEN 'away from campus' ELSE leave_kind END,
    -- A first load knows the leave from its approval on; the return it knows from the return on.
    returned_at, greatest(known_at, returned_at), 'leave_record', 'staff', FALSE, superseded_at
FROM stg_leave_record
WHERE returned_at IS NOT NULL

UNION ALL

SELECT concat('bed/', CAST(student_key AS VARCHAR), '/', CAST(moved_in_on AS VARCHAR)), student_key, 'bed', 'moved_in',
    '入住寝室', 'Moved into a room', room_id AS detail_zh, room_id AS detail_en, day_start(moved_in_on), known_at, 'bed_assignment', 'staff', TRUE, superseded_at
FROM stg_bed_assignment

UNION ALL

SELECT concat('transfer/', transfer_id), student_key, 'bed', 'transfer', '调宿获批', 'Move between rooms approved',
    concat(from_room_id, ' → ', to_room_id) AS detail_zh, concat(from_room_id, ' → ', to_room_id) AS detail_en, approved_at, known_at, 'room_transfer', 'staff', FALSE, superseded_at
FROM stg_room_transfer
WHERE approved_at IS NOT NULL

UNION ALL

SELECT concat('stay/', stay_id), student_key, 'holiday_stay', 'registered', '登记假期留校', 'Registered to stay over a holiday',
    CASE holiday WHEN 'national_day' THEN '国庆' WHEN 'new_year' THEN '元旦' WHEN 'winter' THEN '寒假' WHEN 'summer' THEN '暑假' WHEN 'tomb_sweeping' THEN '清明' WHEN 'labour_day' THEN '五一' WHEN 'dragon_boat' THEN '端午' ELSE holiday END,
    CASE holiday WHEN 'national_day' THEN 'National Day' WHEN 'new_year' THEN 'New Year' WHEN 'winter' THEN 'winter vacation' WHEN 'summer' THEN 'summer vacation' WHEN 'tomb_sweeping' THEN 'Qingming' WHEN 'labour_day' THEN 'Labour Day' WHEN 'dragon_boat' THEN 'Dragon Boat' ELSE holiday END,
    registered_at, known_at, 'holiday_stay', 'self', FALSE, superseded_at
FROM stg_holiday_stay

UNION ALL

SELECT concat('card/', status_id), student_key, 'card_status', card_status,
    CASE card_status WHEN 'lost' THEN '校园卡挂失' WHEN 'found' THEN '校园卡解挂' WHEN 'reissued' THEN '补办校园卡' ELSE card_status END,
    CASE card_status WHEN 'lost' THEN 'Card reported lost' WHEN 'found' THEN 'Card found' WHEN 'reissued' THEN 'Card reissued' ELSE card_status END,
    '' AS detail_zh, '' AS detail_en, occurred_at, known_at, 'card_status', 'system', FALSE, arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))')
FROM stg_card_status

/*---
kind         = "table"
about        = "Entries of the record about being served: requests, talks, receptions, bookings (过程记录: 服务)."
about_zh     = "过程记录中关于服务的条目：诉求、谈话、接待、预约。"
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

WITH ticket_owner AS (
    SELECT ticket_id, max(student_key) AS student_key, max(category) AS category
    FROM stg_ticket
    GROUP BY ticket_id
)

SELECT concat('ticket/', stg_ticket_event.event_id) AS event_id, ticket_owner.student_key, 'ticket' AS kind, stg_ticket_event.stage AS step,
    CASE stg_ticket_event.stage WHEN 'reported' THEN '提交诉求' WHEN 'dispatched' THEN '诉求转办' WHEN 'responded' THEN '部门反馈' WHEN 'resolved' THEN '诉求办结' WHEN 'followed_up' THEN '回访' WHEN 'reopened' THEN '重新打开' WHEN 'withdrawn' THEN '撤回' ELSE stg_ticket_event.stage END AS title_zh,
    CASE stg_ticket_event.stage WHEN 'reported' THEN 'Request raised' WHEN 'dispatched' THEN 'Request dispatched' WHEN 'responded' THEN 'Office responded' WHEN 'resolved' THEN 'Request resolved' WHEN 'followed_up' THEN 'Followed up' WHEN 'reopened' THEN 'Reopened' WHEN 'withdrawn' THEN 'Withdrawn' ELSE stg_ticket_event.stage END AS title_en,
    CASE ticket_owner.category WHEN 'dorm_repair' THEN '宿舍报修' WHEN 'network' THEN '网络' WHEN 'catering' THEN '餐饮' WHEN 'academic' THEN '教务' WHEN 'aid' THEN '资助' WHEN 'logistics' THEN '后勤' WHEN 'safety' THEN '安全' WHEN 'other' THEN '其他' ELSE ticket_owner.category END AS detail_zh,
    CASE ticket_owner.category WHEN 'dorm_repair' THEN 'dormitory repair' WHEN 'network' THEN 'network' WHEN 'catering' THEN 'catering' WHEN 'academic' THEN 'academic affairs' WHEN 'aid' THEN 'aid' WHEN 'logistics' THEN 'logistics' WHEN 'safety' THEN 'safety' WHEN 'other' THEN 'other' ELSE ticket_owner.category END AS detail_en,
    stg_ticket_event.occurred_at, stg_ticket_event.known_at, 'ticket_event' AS source, 'system' AS trust, FALSE AS is_milestone,
    arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))') AS superseded_at
FROM stg_ticket_event
INNER JOIN ticket_owner ON ticket_owner.ticket_id = stg_ticket_event.ticket_id
WHERE ticket_owner.student_key IS NOT NULL

UNION ALL

SELECT concat('talk/', contact_id, '/', CAST(student_key AS VARCHAR)), student_key, 'talk', mode,
    CASE mode WHEN 'one_to_one' THEN '谈心谈话（面对面）' WHEN 'phone' THEN '谈心谈话（电话）' WHEN 'group' THEN '集体指导' WHEN 'online' THEN '谈心谈话（线上）' ELSE mode END,
    CASE mode WHEN 'one_to_one' THEN 'Talk, face to face' WHEN 'phone' THEN 'Talk by telephone' WHEN 'group' THEN 'Guidance in a group' WHEN 'online' THEN 'Talk online' ELSE mode END,
    CASE topic WHEN 'academic' THEN '学业' WHEN 'life' THEN '生活' WHEN 'relations' THEN '人际' WHEN 'career' THEN '就业' WHEN 'aid' THEN '资助' WHEN 'adaptation' THEN '适应' ELSE topic END,
    CASE topic WHEN 'academic' THEN 'study' WHEN 'life' THEN 'life' WHEN 'relations' THEN 'relations' WHEN 'career' THEN 'career' WHEN 'aid' THEN 'aid' WHEN 'adaptation' THEN 'settling in' ELSE topic END,
    held_at, known_at, 'contact_record', 'staff', FALSE, arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))')
FROM stg_contact_record

UNION ALL

SELECT concat('reception/', visit_id), student_key, 'reception', 'visited', '到访领导接待日', 'Visited a reception day',
    CASE category WHEN 'academic' THEN '教务' WHEN 'aid' THEN '资助' WHEN 'logistics' THEN '后勤' WHEN 'network' THEN '网络' WHEN 'other' THEN '其他' ELSE category END,
    CASE category WHEN 'academic' THEN 'academic affairs' WHEN 'aid' THEN 'aid' WHEN 'logistics' THEN 'logistics' WHEN 'network' THEN 'network' WHEN 'other' THEN 'other' ELSE category END,
    visited_at, known_at, 'reception_visit', 'staff', FALSE, arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))')
FROM stg_reception_visit
WHERE student_key IS NOT NULL

UNION ALL

SELECT concat('booking/', booking_id), student_key, 'booking', 'requested', '预约空间', 'Booked a room',
    CASE space WHEN 'party_league_room' THEN '党团活动室' WHEN 'psych_ideology_studio' THEN '心理和思政工作室' WHEN 'career_room' THEN '生涯规划室' WHEN 'third_space' THEN '第三空间' ELSE space END,
    CASE space WHEN 'party_league_room' THEN 'party and league room' WHEN 'psych_ideology_studio' THEN 'counselling studio' WHEN 'career_room' THEN 'career room' WHEN 'third_space' THEN 'third space' ELSE space END,
    requested_at, known_at, 'room_booking', 'self', FALSE, arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))')
FROM stg_room_booking

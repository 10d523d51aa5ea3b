/*---
kind         = "table"
about        = "Entries of the record about growing: activities, awards (过程记录: 成长)."
about_zh     = "过程记录中关于成长的条目：活动、获奖。"
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

-- Every title that an activity had, with when another took its place: who was there was there, whatever becomes of the plan.
WITH activity AS (
    SELECT activity_id, title, known_at, lead(known_at) OVER (PARTITION BY activity_id ORDER BY known_at, superseded_at NULLS LAST) AS superseded_at
    FROM stg_activity
),

role AS (
    SELECT activity_id, student_key, min(role) AS role
    FROM stg_activity_signup
    GROUP BY activity_id, student_key
)

SELECT concat('activity/', stg_activity_attendance.checkin_id) AS event_id, stg_activity_attendance.student_key, 'activity' AS kind,
    coalesce(role.role, 'participant') AS step,
    CASE role.role WHEN 'organiser' THEN '组织活动' WHEN 'volunteer' THEN '志愿服务' ELSE '参加活动' END AS title_zh,
    CASE role.role WHEN 'organiser' THEN 'Organised an activity' WHEN 'volunteer' THEN 'Volunteered' ELSE 'Took part in an activity' END AS title_en,
    coalesce(activity.title, stg_activity_attendance.activity_id) AS detail_zh,
    coalesce(activity.title, stg_activity_attendance.activity_id) AS detail_en,
    stg_activity_attendance.checked_in_at AS occurred_at,
    greatest(stg_activity_attendance.known_at, activity.known_at) AS known_at, 'activity_attendance' AS source,
    -- A scanned code can be passed on; a card and a list of the organisers say more.
    CASE stg_activity_attendance.method WHEN 'card' THEN 'device' WHEN 'roster' THEN 'staff' ELSE 'self' END AS trust,
    role.role IS NOT NULL AND role.role IN ('organiser', 'volunteer') AS is_milestone, activity.superseded_at
FROM stg_activity_attendance
LEFT JOIN activity ON activity.activity_id = stg_activity_attendance.activity_id
LEFT JOIN role ON role.activity_id = stg_activity_attendance.activity_id AND role.student_key = stg_activity_attendance.student_key

UNION ALL

SELECT concat('award/', award_id), student_key, 'award', coalesce(level, 'award'), '获得奖项', 'Received an award',
    title AS detail_zh, title AS detail_en, day_start(awarded_on), known_at, 'award', 'staff', TRUE, superseded_at
FROM stg_award

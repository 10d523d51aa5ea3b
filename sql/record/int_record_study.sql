/*---
kind         = "table"
about        = "Entries of the record about study: enrolment, grades, warnings, internships (过程记录: 学业)."
about_zh     = "过程记录中关于学业的条目：学籍、成绩、学业提醒、实习。"
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
---*/

SELECT concat('enrolment/', span_id) AS event_id, student_key, 'enrolment' AS kind, change_kind AS step,
    CASE change_kind WHEN 'entry' THEN '入学' WHEN 'suspension' THEN '休学' WHEN 'return' THEN '复学' WHEN 'transfer' THEN '转专业' WHEN 'withdrawal' THEN '退学' WHEN 'graduation' THEN '毕业' WHEN 'extension' THEN '延期' ELSE change_kind END AS title_zh,
    CASE change_kind WHEN 'entry' THEN 'Entered the university' WHEN 'suspension' THEN 'Leave of school began' WHEN 'return' THEN 'Back from leave of school' WHEN 'transfer' THEN 'Changed major' WHEN 'withdrawal' THEN 'Withdrew' WHEN 'graduation' THEN 'Graduated' WHEN 'extension' THEN 'Extended' ELSE change_kind END AS title_en,
    class AS detail_zh, class AS detail_en, day_start(valid_from) AS occurred_at, known_at,
    'enrollment_span' AS source, 'system' AS trust, TRUE AS is_milestone
FROM stg_enrollment_span
WHERE superseded_at IS NULL AND change_kind IS NOT NULL

UNION ALL

-- One entry a publication, not one a course: marks are read in the portrait, the record says that they came out.
SELECT concat('grade/', CAST(student_key AS VARCHAR), '/', term, '/', exam_kind), student_key, 'grade', exam_kind,
    CASE exam_kind WHEN 'midterm' THEN '期中成绩发布' WHEN 'final' THEN '期末成绩发布' WHEN 'makeup' THEN '补考成绩发布' WHEN 'retake' THEN '重修成绩发布' ELSE exam_kind END,
    CASE exam_kind WHEN 'midterm' THEN 'Midterm marks published' WHEN 'final' THEN 'Final marks published' WHEN 'makeup' THEN 'Makeup marks published' WHEN 'retake' THEN 'Retake marks published' ELSE exam_kind END,
    concat(term, '，', CAST(count(*) AS VARCHAR), '门'), concat(term, ', ', CAST(count(*) AS VARCHAR), ' courses'),
    max(published_at), max(known_at), 'grade_record', 'system', FALSE
FROM stg_grade_record
WHERE superseded_at IS NULL
GROUP BY student_key, term, exam_kind

UNION ALL

SELECT concat('academic_warning/', warning_no), student_key, 'academic_warning', 'issued', '学业提醒', 'Academic notice',
    term AS detail_zh, term AS detail_en, day_start(issued_on), known_at, 'academic_warning', 'staff', FALSE
FROM stg_academic_warning
WHERE superseded_at IS NULL

UNION ALL

SELECT concat('internship/', placement_id), student_key, 'internship', 'began', '开始岗位实习', 'Internship began',
    employer AS detail_zh, employer AS detail_en, day_start(begins_on), known_at, 'internship_placement', 'staff', TRUE
FROM stg_internship_placement
WHERE superseded_at IS NULL

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
superseded_at = { about = "When the register took this version of the row back or put another in its place; empty while it holds.", about_zh = "登记册收回这一行的这个版本、或以另一版本取代它的时间；仍有效的为空。", class = "trace" }
---*/

-- Every version of a row: what was known once is not forgotten when the row is corrected or leaves its register.
-- Marks that are corrected under the date of their publication are no other publication.
WITH mark AS (
    SELECT
        grade_id,
        student_key,
        term,
        exam_kind,
        campus_on(published_at) AS published_on,
        min(published_at) AS published_at,
        min(known_at) AS known_at,
        CASE WHEN count(*) = count(superseded_at) THEN max(superseded_at) END AS superseded_at
    FROM stg_grade_record
    GROUP BY grade_id, student_key, term, exam_kind, campus_on(published_at)
)

SELECT concat('enrolment/', span_id) AS event_id, student_key, 'enrolment' AS kind, change_kind AS step,
    CASE change_kind WHEN 'entry' THEN '入学' WHEN 'suspension' THEN '休学' WHEN 'return' THEN '复学' WHEN 'transfer' THEN '转专业' WHEN 'withdrawal' THEN '退学' WHEN 'graduation' THEN '毕业' WHEN 'extension' THEN '延期' ELSE change_kind END AS title_zh,
    CASE change_kind WHEN 'entry' THEN 'Entered the university' WHEN 'suspension' THEN 'Leave of school began' WHEN 'return' THEN 'Back from leave of school' WHEN 'transfer' THEN 'Changed major' WHEN 'withdrawal' THEN 'Withdrew' WHEN 'graduation' THEN 'Graduated' WHEN 'extension' THEN 'Extended' ELSE change_kind END AS title_en,
    class AS detail_zh, class AS detail_en, day_start(valid_from) AS occurred_at, known_at,
    'enrollment_span' AS source, 'system' AS trust, TRUE AS is_milestone, superseded_at
FROM stg_enrollment_span
WHERE change_kind IS NOT NULL

UNION ALL

-- One entry a publication, not one a course: marks are read in the portrait, the record says that they came out. Marks of a
-- later day, or that became known on a later day, are a publication of their own: the entry of the earlier ones stays as it was.
SELECT concat('grade/', CAST(student_key AS VARCHAR), '/', term, '/', exam_kind, '/', CAST(published_on AS VARCHAR), '/', CAST(campus_on(known_at) AS VARCHAR)), student_key, 'grade', exam_kind,
    CASE exam_kind WHEN 'midterm' THEN '期中成绩发布' WHEN 'final' THEN '期末成绩发布' WHEN 'makeup' THEN '补考成绩发布' WHEN 'retake' THEN '重修成绩发布' ELSE exam_kind END,
    CASE exam_kind WHEN 'midterm' THEN 'Midterm marks published' WHEN 'final' THEN 'Final marks published' WHEN 'makeup' THEN 'Makeup marks published' WHEN 'retake' THEN 'Retake marks published' ELSE exam_kind END,
    concat(term, '，', CAST(count(*) AS VARCHAR), '门'), concat(term, ', ', CAST(count(*) AS VARCHAR), ' courses'),
    max(published_at), max(known_at), 'grade_record', 'system', FALSE,
    CASE WHEN count(*) = count(superseded_at) THEN max(superseded_at) END
FROM mark
GROUP BY student_key, term, exam_kind, published_on, campus_on(known_at)

UNION ALL

SELECT concat('academic_warning/', warning_no), student_key, 'academic_warning', 'issued', '学业提醒', 'Academic notice',
    term AS detail_zh, term AS detail_en, day_start(issued_on), known_at, 'academic_warning', 'staff', FALSE, superseded_at
FROM stg_academic_warning

UNION ALL

SELECT concat('internship/', placement_id), student_key, 'internship', 'began', '开始岗位实习', 'Internship began',
    employer AS detail_zh, employer AS detail_en, day_start(begins_on), known_at, 'internship_placement', 'staff', TRUE, superseded_at
FROM stg_internship_placement

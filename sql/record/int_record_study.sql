/*---
kind         = "table"
about        = "Entries of the record about study: enrolment, grades, warnings, internships (过程记录: 学业)."
about_zh     = "过程记录中关于学业的条目：学籍、成绩、学业提醒、实习。"
owner        = "student_affairs_office"
materialized = "view"
subject      = "student_key"
purpose      = ["portrait", "service"]

[columns]
event_id    = { about = "Id of the entry: source and its own number.", class = "trace" }
student_key = { about = "The student, pseudonymous.", class = "personal" }
kind        = { about = "What it is about: leave, bed, grade, activity, talk and so on.", class = "trace" }
step        = { about = "What happened, as a word of the source.", class = "trace" }
title_zh    = { about = "What happened, in Chinese.", class = "trace" }
title_en    = { about = "What happened, in English.", class = "trace" }
detail_zh   = { about = "Which, in Chinese; rooms and titles as they are.", class = "trace" }
detail_en   = { about = "Which, in English.", class = "trace" }
occurred_at = { about = "When it happened; the beginning of the campus day where only the day is known.", class = "trace" }
known_at    = { about = "When the platform could know it.", class = "trace" }
source      = { about = "Pipeline that it comes from.", class = "trace" }
trust       = { about = "device, system, staff or self: who says so.", class = "trace" }
is_milestone = { about = "Whether it belongs into the archive of a whole study.", class = "trace" }
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

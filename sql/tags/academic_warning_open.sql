/*---
kind      = "tag"
about     = "An academic warning of the newest term: a retake plan and a talk are due."
about_zh  = "最近一个学期收到过学业提醒：应有重修计划和一次谈话。"
title_zh  = "学业帮扶中"
title_en  = "Academic support due"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "academic"
---*/

SELECT
    student_key,
    max(issued_on) AS since_on,
    CAST(max(issued_on) + INTERVAL '180' DAY AS DATE) AS expires_on,
    count(*) AS n,
    concat('教务于', CAST(max(issued_on) AS VARCHAR), '发出学业提醒，建议制定重修计划并谈话一次。') AS evidence_zh,
    concat('The academic office sent a notice on ', CAST(max(issued_on) AS VARCHAR), '; a retake plan and a talk are suggested.') AS evidence_en,
    'academic_warning' AS source
FROM stg_academic_warning
WHERE issued_on < $as_of AND issued_on >= $as_of - INTERVAL '180' DAY
GROUP BY student_key

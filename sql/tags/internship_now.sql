/*---
kind      = "tag"
about     = "An internship is running: the tutor keeps in touch, the campus sees less."
about_zh  = "正在实习：由指导教师保持联系，校内记录会减少。"
title_zh  = "岗位实习中"
title_en  = "On internship"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "academic"
---*/

SELECT
    student_key,
    min(begins_on) AS since_on,
    max(ends_on) AS expires_on,
    count(*) AS n,
    concat('岗位实习登记至', CAST(max(ends_on) AS VARCHAR), '，由校内指导教师每周联系。') AS evidence_zh,
    concat('Registered on internship until ', CAST(max(ends_on) AS VARCHAR), '; the tutor keeps in touch weekly.') AS evidence_en,
    'internship_placement' AS source
FROM stg_internship_placement
WHERE begins_on <= $as_of AND ends_on >= $as_of
GROUP BY student_key

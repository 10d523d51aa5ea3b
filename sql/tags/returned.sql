/*---
kind      = "tag"
about     = "Back from a leave of school within the last term: a talk in weeks 1, 2 and 4 helps."
about_zh  = "上一学期内休学后复学：第1、2、4周谈一谈会有帮助。"
title_zh  = "复学适应期"
title_en  = "Back from leave of school"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "life"
---*/

SELECT
    student_key,
    max(valid_from) AS since_on,
    CAST(max(valid_from) + INTERVAL '120' DAY AS DATE) AS expires_on,
    count(*) AS n,
    concat(CAST(max(valid_from) AS VARCHAR), '复学，建议第1、2、4周各联系一次。') AS evidence_zh,
    concat('Back since ', CAST(max(valid_from) AS VARCHAR), '; a contact in weeks 1, 2 and 4 is suggested.') AS evidence_en,
    'enrollment_span' AS source
FROM stg_enrollment_span
WHERE change_kind = 'return' AND valid_from < $as_of AND valid_from >= $as_of - INTERVAL '120' DAY
GROUP BY student_key

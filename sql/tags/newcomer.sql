/*---
kind      = "tag"
about     = "Within the first eight weeks: there is no past of one's own to compare with."
about_zh  = "入学头八周：还没有自己的以往可比。"
title_zh  = "新生适应期"
title_en  = "Newcomer"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["portrait", "service"]
dimension = "life"
---*/

SELECT
    student_key,
    max(valid_from) AS since_on,
    CAST(max(valid_from) + INTERVAL '56' DAY AS DATE) AS expires_on,
    count(*) AS n,
    concat(CAST(max(valid_from) AS VARCHAR), '入学，前八周不与自身过去比较。') AS evidence_zh,
    concat('Entered on ', CAST(max(valid_from) AS VARCHAR), '; for eight weeks nothing is compared with an own past.') AS evidence_en,
    'enrollment_span' AS source
FROM stg_enrollment_span
WHERE change_kind = 'entry' AND valid_from < $as_of AND valid_from >= $as_of - INTERVAL '56' DAY
GROUP BY student_key

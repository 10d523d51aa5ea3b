/*---
kind  = "check"
about = "Data alone raises nobody above severity 2, and one channel alone nobody above 1."
owner = "platform"
---*/

SELECT warning_id, rule, channels, severity
FROM warning_student
WHERE severity IS NOT NULL AND severity NOT IN (1, 2)
    OR (severity = 2 AND strpos(channels, ',') = 0)

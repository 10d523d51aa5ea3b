/*---
kind  = "check"
about = "Data alone raises nobody above severity 2."
owner = "platform"
---*/

SELECT warning_id, rule, severity
FROM warning_student
WHERE severity IS NOT NULL AND severity NOT IN (1, 2)

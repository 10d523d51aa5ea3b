/*---
kind  = "check"
about = "Data alone raises nobody above severity 2, and one channel alone nobody above 1."
about_zh = "仅凭数据，任何人的关注级别都不超过2级；单一渠道不超过1级。"
owner = "platform"
---*/

SELECT warning_id, rule, channels, severity
FROM warning_student
WHERE severity IS NOT NULL AND severity NOT IN (1, 2)
    OR (severity = 2 AND strpos(channels, ',') = 0)

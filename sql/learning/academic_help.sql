/*---
kind         = "table"
about        = "When somebody first spoke with a student about their studies (学业帮扶首次联系), by case: who was helped before an outcome teaches nothing of what comes without help. Cases of another kind say nothing here."
owner        = "student_affairs_office"
materialized = "whole"
grain        = ["student_key", "intervened_on"]
subject      = "student_key"
purpose      = ["evaluation"]

[columns]
student_key   = { about = "The student, pseudonymous.", class = "closed" }
intervened_on = { about = "Day of the first contact.", class = "closed" }
---*/

SELECT DISTINCT student_key, campus_on(first_contact_at) AS intervened_on
FROM stg_case_state
WHERE kind = 'academic' AND first_contact_at IS NOT NULL

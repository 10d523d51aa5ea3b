/*---
kind         = "table"
about        = "Every student with a running enrolment as of a date, in the one that stands for them. No name, no number, nothing of who they are."
owner        = "registry"
materialized = "as_of"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "service"]

[columns]
enrolment_n = { about = "Enrolments that run.", class = "personal" }
---*/

WITH counted AS (
    SELECT student_key, count(*) AS enrolment_n
    FROM int_enrolment
    GROUP BY student_key
)

SELECT
    int_enrolment.student_key,
    int_enrolment.code_module,
    int_enrolment.code_presentation,
    int_enrolment.day_no,
    int_enrolment.registered_on,
    int_enrolment.prior_attempt_n,
    int_enrolment.credits,
    counted.enrolment_n
FROM int_enrolment
INNER JOIN counted ON counted.student_key = int_enrolment.student_key
WHERE int_enrolment.is_current

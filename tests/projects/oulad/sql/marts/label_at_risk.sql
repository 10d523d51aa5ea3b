/*---
kind         = "table"
about        = "Outcome of every enrolment: at risk is failed or withdrawn. For evaluation only; an as-of table that reads it is refused."
owner        = "registry"
materialized = "whole"
grain        = ["student_key", "code_module", "code_presentation"]
subject      = "student_key"
purpose      = ["evaluation"]

[columns]
is_at_risk = { about = "Failed or withdrawn." }
known_on   = { about = "First day on which it could be known: after the withdrawal, else after the end of the presentation.", class = "closed" }
---*/

SELECT
    stg_enrolment.student_key,
    stg_enrolment.code_module,
    stg_enrolment.code_presentation,
    stg_enrolment.final_result,
    stg_enrolment.final_result IN ('fail', 'withdrawn') AS is_at_risk,
    arrow_cast(arrow_cast(least(coalesce(stg_registration.unregistered_on, int_presentation.ended_on), int_presentation.ended_on), 'Int32') + 1, 'Date32') AS known_on
FROM stg_enrolment
INNER JOIN int_presentation ON int_presentation.code_module = stg_enrolment.code_module
    AND int_presentation.code_presentation = stg_enrolment.code_presentation
-- An enrolment whose registration was refused is known at the end.
LEFT JOIN stg_registration ON stg_registration.student_key = stg_enrolment.student_key
    AND stg_registration.code_module = stg_enrolment.code_module
    AND stg_registration.code_presentation = stg_enrolment.code_presentation
    AND stg_registration.superseded_at IS NULL
WHERE stg_enrolment.superseded_at IS NULL

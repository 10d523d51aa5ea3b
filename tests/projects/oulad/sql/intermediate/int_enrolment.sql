/*---
kind         = "table"
about        = "Enrolments that run as of a date: begun, not ended, not left."
owner        = "registry"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
day_no     = { about = "Days since the start of the presentation that are over.", unit = "days", class = "personal" }
is_current = { about = "The one enrolment that stands for the student: the latest begun, by module where two began together.", class = "personal" }
---*/

WITH running AS (
    SELECT
        stg_registration.student_key,
        stg_registration.code_module,
        stg_registration.code_presentation,
        stg_registration.registered_on,
        stg_enrolment.prior_attempt_n,
        stg_enrolment.credits,
        int_presentation.started_on,
        int_presentation.ended_on,
        arrow_cast(arrow_cast($as_of, 'Int32') - arrow_cast(int_presentation.started_on, 'Int32'), 'Int64') AS day_no
    FROM stg_registration
    INNER JOIN int_presentation ON int_presentation.code_module = stg_registration.code_module
        AND int_presentation.code_presentation = stg_registration.code_presentation
    INNER JOIN stg_enrolment ON stg_enrolment.student_key = stg_registration.student_key
        AND stg_enrolment.code_module = stg_registration.code_module
        AND stg_enrolment.code_presentation = stg_registration.code_presentation
        AND stg_enrolment.superseded_at IS NULL
    WHERE stg_registration.known_at <= day_start($as_of)
        AND (stg_registration.superseded_at IS NULL OR stg_registration.superseded_at > day_start($as_of))
        AND stg_registration.unregistered_on IS NULL
        AND int_presentation.started_on < $as_of
        AND int_presentation.ended_on >= $as_of
)

SELECT
    student_key,
    code_module,
    code_presentation,
    registered_on,
    prior_attempt_n,
    credits,
    started_on,
    ended_on,
    day_no,
    row_number() OVER (PARTITION BY student_key ORDER BY started_on DESC, code_module) = 1 AS is_current
FROM running

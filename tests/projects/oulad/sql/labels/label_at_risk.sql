/*---
kind     = "label"
about    = "Outcome of every enrolment: at risk is failed or withdrawn. For training and evaluation only; an as-of table that reads it is refused."
title_zh = "本次选课未通过或退课"
title_en = "a failed or withdrawn enrolment"
owner    = "registry"
grain    = ["student_key", "code_module", "code_presentation"]
subject  = "student_key"
purpose  = ["evaluation"]
horizon  = "270d"     # longer than every presentation: what counts is how it ends
gap      = "1d"
recurs   = true       # whoever failed one module is still to be looked after in the next

[columns]
outcome  = { about = "Failed or withdrawn." }
opens_on = { about = "First day of the presentation: an outcome counts for dates behind it.", class = "personal" }
event_on = { about = "Day of the withdrawal, else the last day of the presentation.", class = "closed" }
known_on = { about = "First day on which it could be known: the one after.", class = "closed" }
---*/

SELECT
    stg_enrolment.student_key,
    stg_enrolment.code_module,
    stg_enrolment.code_presentation,
    stg_enrolment.final_result,
    stg_enrolment.final_result IN ('fail', 'withdrawn') AS outcome,
    int_presentation.started_on AS opens_on,
    least(coalesce(stg_registration.unregistered_on, int_presentation.ended_on), int_presentation.ended_on) AS event_on,
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

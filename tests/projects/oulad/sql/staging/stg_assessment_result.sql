/*---
kind         = "table"
about        = "Submissions with the date that their day means in their presentation, known from the day after."
owner        = "registry"
materialized = "whole"
grain        = ["student_key", "assessment_id", "known_at"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "evaluation"]

[columns]
submitted_on  = { about = "Day of submission." }
known_at      = { about = "Beginning of the day after the submission, or when the file came, if later; the data do not say when a score was given.", class = "trace" }
superseded_at = { about = "Instant from which a newer version holds; empty for the current one.", class = "trace" }
---*/

WITH dated AS (
    SELECT
        row.student_key,
        row.assessment_id,
        stg_assessment.code_module,
        stg_assessment.code_presentation,
        arrow_cast(arrow_cast(int_presentation.started_on, 'Int32') + arrow_cast(row.submitted_day, 'Int32'), 'Date32') AS submitted_on,
        row.is_banked,
        row.score_tenths,
        row.known_at,
        row.row_hash,
        row.file_no,
        row.row_no
    FROM raw_assessment_result AS row
    INNER JOIN stg_assessment ON stg_assessment.assessment_id = row.assessment_id AND stg_assessment.superseded_at IS NULL
    INNER JOIN int_presentation ON int_presentation.code_module = stg_assessment.code_module
        AND int_presentation.code_presentation = stg_assessment.code_presentation
),

version AS (
    SELECT
        student_key,
        assessment_id,
        code_module,
        code_presentation,
        submitted_on,
        is_banked,
        score_tenths,
        greatest(known_at, day_start(arrow_cast(arrow_cast(submitted_on, 'Int32') + 1, 'Date32'))) AS known_at,
        lead(known_at) OVER (PARTITION BY student_key, assessment_id ORDER BY known_at, row_hash, file_no, row_no) AS superseded_at,
        file_no,
        row_no
    FROM dated
)

SELECT *
FROM version
-- Replaced before it could be known: nobody ever saw it.
WHERE superseded_at IS NULL OR superseded_at > known_at

/*---
kind         = "table"
about        = "Registrations as they became known: the row of who left has a version from before and one from after."
owner        = "registry"
materialized = "whole"
grain        = ["student_key", "code_module", "code_presentation", "known_at"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "evaluation"]

[columns]
unregistered_on = { about = "Day of withdrawal; empty as long as nobody could know.", class = "personal" }
known_at        = { about = "Beginning of the day after the registration or the withdrawal, or when the file came, if later.", class = "personal" }
superseded_at   = { about = "Instant from which a newer version holds; empty for the current one.", class = "personal" }
---*/

WITH version AS (
    SELECT
        student_key,
        code_module,
        code_presentation,
        registered_on,
        unregistered_on,
        greatest(known_at, day_start(arrow_cast(arrow_cast(registered_on, 'Int32') + 1, 'Date32'))) AS known_at,
        greatest(known_at, day_start(arrow_cast(arrow_cast(unregistered_on, 'Int32') + 1, 'Date32'))) AS left_known_at,
        lead(known_at) OVER (
            PARTITION BY student_key, code_module, code_presentation ORDER BY known_at, row_hash, file_no, row_no
        ) AS superseded_at,
        file_no,
        row_no
    FROM raw_registration
),

parted AS (
    SELECT
        student_key,
        code_module,
        code_presentation,
        registered_on,
        CAST(NULL AS DATE) AS unregistered_on,
        known_at,
        least(superseded_at, CASE WHEN unregistered_on IS NOT NULL THEN left_known_at END) AS superseded_at,
        file_no,
        row_no
    FROM version

    UNION ALL

    SELECT
        student_key,
        code_module,
        code_presentation,
        registered_on,
        unregistered_on,
        left_known_at AS known_at,
        superseded_at,
        file_no,
        row_no
    FROM version
    WHERE unregistered_on IS NOT NULL
)

SELECT *
FROM parted
-- Replaced before it could be known, or left on the day of the registration: nobody ever saw it.
WHERE superseded_at IS NULL OR superseded_at > known_at

/*---
kind         = "table"
about        = "Features of a week, known from the day after that week ended in the last presentation that they add up."
owner        = "learning_platform"
materialized = "whole"
grain        = ["student_key", "week", "known_at"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning", "evaluation"]

[columns]
enrolment_n   = { about = "Enrolments that the row adds up; with more than one it says nothing of any of them.", class = "trace" }
known_at      = { about = "Beginning of the day after the last day counted, or when the file came, if later.", class = "trace" }
superseded_at = { about = "Instant from which a newer version holds; empty for the current one.", class = "trace" }
---*/

WITH taken AS (
    SELECT
        stg_enrolment.student_key,
        max(int_presentation.started_on) AS started_on,
        count(*) AS enrolment_n
    FROM stg_enrolment
    INNER JOIN int_presentation ON int_presentation.code_module = stg_enrolment.code_module
        AND int_presentation.code_presentation = stg_enrolment.code_presentation
    WHERE stg_enrolment.superseded_at IS NULL
    GROUP BY stg_enrolment.student_key
),

version AS (
    SELECT
        row.student_key,
        row.week,
        row.click_n,
        row.active_days,
        row.interaction_n,
        taken.enrolment_n,
        greatest(
            row.known_at,
            day_start(arrow_cast(arrow_cast(taken.started_on, 'Int32') + arrow_cast(row.last_day, 'Int32') + 1, 'Date32'))
        ) AS known_at,
        lead(row.known_at) OVER (PARTITION BY row.student_key, row.week ORDER BY row.known_at, row.row_hash, row.file_no, row.row_no) AS superseded_at,
        row.file_no,
        row.row_no
    FROM raw_weekly_feature AS row
    INNER JOIN taken ON taken.student_key = row.student_key
)

SELECT *
FROM version
-- Replaced before it could be known: nobody ever saw it.
WHERE superseded_at IS NULL OR superseded_at > known_at

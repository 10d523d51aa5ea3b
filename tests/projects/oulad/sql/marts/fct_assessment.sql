/*---
kind         = "table"
about        = "Assessments of running enrolments that are due or submitted as of a date."
owner        = "registry"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
due_day       = { about = "Deadline in days since the start.", unit = "days", class = "personal" }
is_due        = { about = "The deadline is over.", class = "personal" }
is_first_task = { about = "The first assessment of the presentation that a tutor marks.", class = "personal" }
is_submitted  = { about = "There is a result.", class = "trace" }
is_late       = { about = "Submitted after the deadline; what is banked is never late.", class = "trace" }
days_early    = { about = "Days from submission to deadline, negative where late; empty for what is banked.", unit = "days", class = "trace" }
---*/

WITH task AS (
    SELECT
        assessment_id,
        code_module,
        code_presentation,
        assessment_type,
        due_on,
        weight_tenths,
        assessment_type = 'tma' AND row_number() OVER (
            PARTITION BY code_module, code_presentation, assessment_type ORDER BY due_on, assessment_id
        ) = 1 AS is_first_task
    FROM stg_assessment
    WHERE superseded_at IS NULL
),

result AS (
    SELECT student_key, assessment_id, submitted_on, is_banked, score_tenths
    FROM stg_assessment_result
    WHERE known_at <= day_start($as_of) AND (superseded_at IS NULL OR superseded_at > day_start($as_of))
)

SELECT
    int_enrolment.student_key,
    int_enrolment.code_module,
    int_enrolment.code_presentation,
    int_enrolment.is_current,
    task.assessment_id,
    task.assessment_type,
    task.due_on,
    arrow_cast(arrow_cast(task.due_on, 'Int32') - arrow_cast(int_enrolment.started_on, 'Int32'), 'Int64') AS due_day,
    task.weight_tenths,
    task.is_first_task,
    coalesce(task.due_on < $as_of, FALSE) AS is_due,
    result.assessment_id IS NOT NULL AS is_submitted,
    result.submitted_on,
    result.is_banked,
    coalesce(result.submitted_on > task.due_on AND NOT result.is_banked, FALSE) AS is_late,
    CASE WHEN NOT result.is_banked
        THEN arrow_cast(arrow_cast(task.due_on, 'Int32') - arrow_cast(result.submitted_on, 'Int32'), 'Int64') END AS days_early,
    result.score_tenths
FROM int_enrolment
INNER JOIN task ON task.code_module = int_enrolment.code_module AND task.code_presentation = int_enrolment.code_presentation
LEFT JOIN result ON result.student_key = int_enrolment.student_key AND result.assessment_id = task.assessment_id
WHERE task.due_on < $as_of OR result.assessment_id IS NOT NULL

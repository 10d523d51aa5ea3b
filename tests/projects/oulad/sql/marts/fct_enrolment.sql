/*---
kind         = "table"
about        = "Running enrolments as of a date: what was due, handed in, scored and clicked by then."
owner        = "registry"
materialized = "as_of"
grain        = ["student_key", "code_module", "code_presentation"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[columns]
due_n            = { about = "Assessments due, examinations aside.", class = "personal" }
submitted_n      = { about = "Of these, submitted.", class = "trace" }
late_n           = { about = "Of these, submitted late.", class = "trace" }
banked_n         = { about = "Of these, banked from an earlier presentation.", class = "trace" }
scored_n         = { about = "Results, early ones included.", class = "trace" }
score_tenths     = { about = "Sum of their scores.", unit = "tenths", class = "trace" }
weight_tenths    = { about = "Sum of their weights.", unit = "tenths", class = "trace" }
weighted_score   = { about = "Sum of score times weight, both in tenths.", class = "trace" }
is_first_missing = { about = "The first task is due and not submitted; empty before it is due.", class = "trace" }
week             = { about = "Latest week whose features are known.", unit = "weeks", class = "trace" }
active_days      = { about = "Days with a click up to that week.", class = "trace" }
click_n          = { about = "Clicks up to that week.", class = "trace" }
click_2_n        = { about = "Clicks up to the end of week 2.", class = "trace" }
click_4_n        = { about = "Clicks up to the end of week 4.", class = "trace" }
click_6_n        = { about = "Clicks up to the end of week 6.", class = "trace" }
click_8_n        = { about = "Clicks up to the end of week 8.", class = "trace" }
---*/

WITH task AS (
    SELECT
        student_key,
        code_module,
        code_presentation,
        sum(CASE WHEN is_due THEN 1 ELSE 0 END) AS due_n,
        sum(CASE WHEN is_due AND is_submitted THEN 1 ELSE 0 END) AS submitted_n,
        sum(CASE WHEN is_due AND is_late THEN 1 ELSE 0 END) AS late_n,
        sum(CASE WHEN is_due AND is_banked THEN 1 ELSE 0 END) AS banked_n,
        count(score_tenths) AS scored_n,
        sum(score_tenths) AS score_tenths,
        sum(CASE WHEN is_submitted THEN weight_tenths ELSE 0 END) AS weight_tenths,
        sum(score_tenths * weight_tenths) AS weighted_score,
        max(CASE WHEN is_first_task AND is_due THEN CASE WHEN is_submitted THEN 0 ELSE 1 END END) AS first_missing
    FROM fct_assessment
    WHERE assessment_type <> 'exam'
    GROUP BY student_key, code_module, code_presentation
),

-- A row that adds up several enrolments says nothing of any of them.
clicked AS (
    SELECT
        student_key,
        max(week) AS week,
        max(active_days) AS active_days,
        max(click_n) AS click_n,
        max(CASE WHEN week = 2 THEN click_n END) AS click_2_n,
        max(CASE WHEN week = 4 THEN click_n END) AS click_4_n,
        max(CASE WHEN week = 6 THEN click_n END) AS click_6_n,
        max(CASE WHEN week = 8 THEN click_n END) AS click_8_n
    FROM stg_weekly_feature
    WHERE known_at <= day_start($as_of)
        AND (superseded_at IS NULL OR superseded_at > day_start($as_of))
        AND enrolment_n = 1
    GROUP BY student_key
)

SELECT
    int_enrolment.student_key,
    int_enrolment.code_module,
    int_enrolment.code_presentation,
    int_enrolment.is_current,
    int_enrolment.day_no,
    int_enrolment.prior_attempt_n,
    int_enrolment.credits,
    coalesce(task.due_n, 0) AS due_n,
    coalesce(task.submitted_n, 0) AS submitted_n,
    coalesce(task.late_n, 0) AS late_n,
    coalesce(task.banked_n, 0) AS banked_n,
    coalesce(task.scored_n, 0) AS scored_n,
    coalesce(task.score_tenths, 0) AS score_tenths,
    coalesce(task.weight_tenths, 0) AS weight_tenths,
    coalesce(task.weighted_score, 0) AS weighted_score,
    task.first_missing = 1 AS is_first_missing,
    clicked.week,
    clicked.active_days,
    clicked.click_n,
    clicked.click_2_n,
    clicked.click_4_n,
    clicked.click_6_n,
    clicked.click_8_n
FROM int_enrolment
LEFT JOIN task ON task.student_key = int_enrolment.student_key
    AND task.code_module = int_enrolment.code_module
    AND task.code_presentation = int_enrolment.code_presentation
LEFT JOIN clicked ON clicked.student_key = int_enrolment.student_key

/*---
kind  = "check"
about = "Every enrolment has one label, and the label says what the result says."
owner = "registry"
---*/

SELECT
    coalesce(enrolment.student_key, label_at_risk.student_key) AS student_key,
    coalesce(enrolment.code_module, label_at_risk.code_module) AS code_module,
    coalesce(enrolment.code_presentation, label_at_risk.code_presentation) AS code_presentation
FROM (SELECT * FROM stg_enrolment WHERE superseded_at IS NULL) AS enrolment
FULL JOIN label_at_risk ON label_at_risk.student_key = enrolment.student_key
    AND label_at_risk.code_module = enrolment.code_module
    AND label_at_risk.code_presentation = enrolment.code_presentation
WHERE enrolment.student_key IS NULL
    OR label_at_risk.student_key IS NULL
    OR label_at_risk.outcome = (enrolment.final_result IN ('pass', 'distinction'))

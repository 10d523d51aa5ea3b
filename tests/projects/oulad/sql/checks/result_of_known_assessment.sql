/*---
kind  = "check"
about = "No result is lost where its day becomes a date: its assessment and presentation are known."
owner = "registry"
---*/

SELECT raw_assessment_result.assessment_id, count(*) AS results_n
FROM raw_assessment_result
LEFT JOIN stg_assessment_result ON stg_assessment_result.student_key = raw_assessment_result.student_key
    AND stg_assessment_result.assessment_id = raw_assessment_result.assessment_id
    AND stg_assessment_result.superseded_at IS NULL
WHERE stg_assessment_result.student_key IS NULL
GROUP BY raw_assessment_result.assessment_id

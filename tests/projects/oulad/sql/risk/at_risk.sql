/*---
kind       = "risk"
about      = "Students with a running enrolment, in the one that stands for them; who withdrew or finished is not spoken of."
title_zh   = "课程学习可能需要帮助"
title_en   = "Studies: help may be welcome"
owner      = "registry"
purpose    = ["trend_warning"]
thread     = "academic"
channel    = "assessment"
label      = "label_at_risk"
budget     = 200
candidates = ["logistic", "forest", "boost"]
baselines  = ["first_task_missing", "low:submission_rate", "low:mean_score", "high:late_rate"]
# Clicks are left out: that a student has none of 2013 tells that they enrolled again later.
inputs     = [
    "credits_studied",
    "days_early",
    "days_early_spread",
    "first_task_missing",
    "late_rate",
    "mean_score",
    "mean_score.z_peer",
    "prior_attempts",
    "score_trend",
    "submission_rate",
    "submission_rate.z_peer",
    "submitted_n",
]
caveat_zh  = "只说明目前的提交与成绩与以往后来未通过或退课的学生相近；可能已获延期或另有安排。不说明原因，也不预示结果，只提示可以问问是否需要帮助。"
caveat_en  = "It only says that submissions and scores are like those of students who failed or left later; an extension or another arrangement is possible. It gives no reason and foretells nothing; it suggests asking whether help is wanted."

[columns]
place             = { about = "Module: the baseline of places.", class = "personal" }
gender            = { about = "For the audit of fairness only.", class = "closed" }
age_band          = { about = "For the audit of fairness only.", class = "closed" }
disability        = { about = "For the audit of fairness only.", class = "closed" }
highest_education = { about = "For the audit of fairness only.", class = "closed" }
imd_band          = { about = "For the audit of fairness only.", class = "closed" }
---*/

SELECT
    dim_student.student_key,
    dim_student.code_module AS place,
    stg_enrolment.gender,
    stg_enrolment.age_band,
    stg_enrolment.disability,
    stg_enrolment.highest_education,
    stg_enrolment.imd_band
FROM dim_student
INNER JOIN stg_enrolment ON stg_enrolment.student_key = dim_student.student_key
    AND stg_enrolment.code_module = dim_student.code_module
    AND stg_enrolment.code_presentation = dim_student.code_presentation
    AND stg_enrolment.superseded_at IS NULL
WHERE dim_student.as_of_on = $as_of

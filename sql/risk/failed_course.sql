/*---
kind       = "risk"
about      = "Enrolled undergraduates, by what their studies and days looked like; students on leave of school and graduates are not spoken of."
title_zh   = "课程学习可能需要帮助"
title_en   = "Courses: help may be welcome"
owner      = "academic_affairs_office"
purpose    = ["trend_warning"]
thread     = "academic"
channel    = "study"
label      = "label_failed_course"
candidates = ["logistic", "forest", "boost"]
censor_by  = "academic_help"
own_list   = "counselor_talk"
baselines  = ["class_attendance", "low:gpa", "high:failed_credits", "low:class_attendance_rate"]
inputs     = [
    "breakfast_rate",
    "breakfast_rate.z_self",
    "class_attendance_rate",
    "class_attendance_rate.z_self",
    "failed_credits",
    "first_event_orderliness",
    "gpa",
    "gpa_trend",
    "grade_residual",
    "library_hours",
    "library_loan_n",
    "presence_regularity",
    "study_place_entropy",
    "study_water_n",
]
caveat_zh  = "只说明近况与以往后来有课程不及格的学生相近，多数这样的学生并未不及格；请先了解情况，不作评价，也不作任何处理的依据。"
caveat_en  = "It only says that the record is like that of students who failed a course later; most of those did not. Ask first: it is no judgement, and no ground for any measure."
first_step_zh = "请学业导师或任课教师一起看看哪门课需要补，问学生愿意要什么样的帮助。"
first_step_en = "With tutor or teacher see which course needs help, and ask the student what kind of help is welcome."

[columns]
place  = { about = "Building and floor of the bed: the baseline of places.", class = "personal" }
gender = { about = "For the audit of fairness only; never an input.", class = "closed" }
campus = { about = "Campus; for the audit of fairness only.", class = "personal" }
aid    = { about = "Whether the student is recognised as needing aid; for the audit of fairness only, never an input.", class = "closed" }
---*/

-- Of the last academic year: recognition is renewed every year.
WITH recognised AS (
    SELECT student_key, max(recognised_on) AS recognised_on
    FROM stg_aid_status
    GROUP BY student_key
)

SELECT
    dim_student.student_key,
    concat(dim_student.building_id, '/', CAST(dim_student.floor AS VARCHAR)) AS place,
    dim_student.college,
    CAST(dim_student.grade AS VARCHAR) AS grade,
    coalesce(dim_student.campus, 'one') AS campus,
    stg_student.gender,
    CASE WHEN recognised.recognised_on >= $as_of - INTERVAL '400' DAY THEN 'recognised' ELSE 'none' END AS aid
FROM dim_student
INNER JOIN stg_student ON stg_student.student_key = dim_student.student_key
LEFT JOIN recognised ON recognised.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of AND dim_student.is_enrolled AND dim_student.study_stage = 'undergraduate'

/*---
kind       = "risk"
about      = "Enrolled undergraduates, by what their studies and days looked like; students on leave of school and graduates are not spoken of."
about_zh   = "在籍本科生，看其学业和日常记录；休学的和已毕业的不在其中。"
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
aid    = { about = "Whether the student is recognised as needing aid; for the audit of fairness only, never an input.", about_zh = "是否认定为困难；仅用于公平性审计，绝不作输入。", class = "closed" }
---*/

-- Of the last academic year: recognition is renewed every year.
SELECT
    student_key,
    place,
    college,
    grade,
    campus,
    gender,
    CASE WHEN recognised_on >= $as_of - INTERVAL '400' DAY THEN 'recognised' ELSE 'none' END AS aid
FROM int_undergraduate

/*---
kind         = "table"
about        = "Who was met in a planned room within the week of the plan, and what the sheet says (封闭: 走访所见): what recall relative to visits is made of."
about_zh     = "封闭库：计划走访的房间在计划当周见到了谁，以及观察表上的内容；相对走访所见的召回率由此算出。"
owner        = "student_affairs_office"
materialized = "view"
grain        = ["plan_on", "counselor_key", "student_key"]
subject      = "student_key"
purpose      = ["service"]

[columns]
plan_on           = { about = "Date of the plan.", about_zh = "计划日期。", class = "closed" }
counselor_key     = { about = "Whose plan, pseudonymous.", about_zh = "谁的计划，以假名表示。", class = "closed" }
student_key       = { about = "Who was met, pseudonymous.", about_zh = "见到了谁，以假名表示。", class = "closed" }
room_id           = { about = "Room.", about_zh = "房间。", class = "closed" }
probability       = { about = "How likely the room was to be in the plan.", about_zh = "该房间进入计划的概率。", class = "closed" }
is_warned         = { about = "Whether an offer stood on the date of the plan.", about_zh = "计划日期当天是否有有效提示。", class = "closed" }
is_support_needed = { about = "What the sheet says; of several visits in the week, whether any says so.", about_zh = "观察表的说法；一周内多次走访的，有一次说是即为是。", class = "closed" }
---*/

WITH warned AS (
    SELECT DISTINCT as_of_on, student_key
    FROM warning_student
    WHERE severity IS NOT NULL
)

SELECT
    plan.as_of_on AS plan_on,
    plan.counselor_key,
    sheet.student_key,
    plan.room_id,
    max(plan.probability) AS probability,
    bool_or(warned.student_key IS NOT NULL) AS is_warned,
    bool_or(sheet.is_support_needed) AS is_support_needed
FROM closed_visit_plan AS plan
INNER JOIN int_visit_sheet AS sheet
    ON sheet.room_id = plan.room_id AND sheet.occurred_on >= plan.as_of_on AND sheet.occurred_on < plan.as_of_on + INTERVAL '7' DAY
INNER JOIN dim_student
    ON dim_student.student_key = sheet.student_key AND dim_student.as_of_on = plan.as_of_on
        AND dim_student.counselor_key = plan.counselor_key AND dim_student.room_id = plan.room_id
LEFT JOIN warned ON warned.student_key = sheet.student_key AND warned.as_of_on = plan.as_of_on
GROUP BY plan.as_of_on, plan.counselor_key, sheet.student_key, plan.room_id

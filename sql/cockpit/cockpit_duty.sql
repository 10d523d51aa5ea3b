/*---
kind         = "table"
about        = "Plans of presence of each college for the current term, and whether reception days of 28 days were held as rostered (进驻计划与排班). About offices, never about one member of staff."
about_zh     = "本学期各学院的进驻工作计划，以及近28天接待日是否按排班举行。只关乎部门，从不关乎某一位教职工。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["duty", "evaluation"]

[columns]
scope              = { about = "university, or the id of a college.", about_zh = "university（全校）或学院编号。", class = "internal" }
plan_n             = { about = "Plans of presence made for the term (进驻计划).", about_zh = "本学期制定的进驻工作计划数。", class = "internal" }
reviewed_n         = { about = "Of these, reviewed by the date (审核备案).", about_zh = "其中到基准日已审核备案的。", class = "internal" }
counselor_plan_n   = { about = "Of these, plans of counselors.", about_zh = "其中辅导员的计划。", class = "internal" }
teacher_plan_n     = { about = "Of these, plans of teachers.", about_zh = "其中教师的计划。", class = "internal" }
reception_due_n    = { about = "Days of 28 with a rostered reception (接待日); empty for a college.", about_zh = "28天内排定接待日的天数；学院为空。", class = "internal" }
reception_held_n   = { about = "Of these, with a session that was held; empty for a college.", about_zh = "其中实际举行的；学院为空。", class = "internal" }
---*/

WITH current_term AS (
    SELECT max(term) AS term
    FROM stg_calendar_day
    WHERE date < $as_of AND kind = 'teaching'
),

plan AS (
    SELECT
        stg_duty_plan.college,
        stg_duty_plan.kind,
        CASE WHEN stg_duty_plan.reviewed_on < $as_of THEN 1 ELSE 0 END AS is_reviewed
    FROM stg_duty_plan
    INNER JOIN current_term ON current_term.term = stg_duty_plan.term
    WHERE coalesce(stg_duty_plan.made_on < $as_of, TRUE)
),

counted AS (
    SELECT
        scope,
        count(*) AS plan_n,
        sum(is_reviewed) AS reviewed_n,
        sum(CASE WHEN kind = 'counselors' THEN 1 ELSE 0 END) AS counselor_plan_n,
        sum(CASE WHEN kind = 'teachers' THEN 1 ELSE 0 END) AS teacher_plan_n
    FROM (
        SELECT 'university' AS scope, kind, is_reviewed FROM plan
        UNION ALL
        SELECT college, kind, is_reviewed FROM plan
    ) AS scoped
    GROUP BY scope
),

rostered AS (
    SELECT DISTINCT planned_on
    FROM stg_duty_roster
    WHERE kind = 'reception' AND planned_on >= $as_of - INTERVAL '28' DAY AND planned_on < $as_of
),

held AS (
    SELECT DISTINCT occurred_on
    FROM stg_reception_session
    WHERE occurred_on >= $as_of - INTERVAL '28' DAY
),

reception AS (
    SELECT count(*) AS due_n, count(held.occurred_on) AS held_n
    FROM rostered
    LEFT JOIN held ON held.occurred_on = rostered.planned_on
)

SELECT
    counted.scope,
    counted.plan_n,
    counted.reviewed_n,
    counted.counselor_plan_n,
    counted.teacher_plan_n,
    CASE WHEN counted.scope = 'university' THEN reception.due_n END AS reception_due_n,
    CASE WHEN counted.scope = 'university' THEN reception.held_n END AS reception_held_n
FROM counted
CROSS JOIN reception

/*---
kind      = "measure"
about     = "Days since anybody of the staff talked with the student, the student took part in an activity, or raised a request (无联系天数). It goes to the plan of visits, never to warnings."
about_zh  = "距最近一次与教职工谈话、参加活动或提出诉求有多少天；都没有时，按谈话数据开始以来的天数计，最多180天。只用于安排走访，不产生关怀提示。"
title_zh  = "无联系天数"
title_en  = "Days without contact"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["service", "portrait"]
dimension = "safety"
facet     = "contact"
unit      = "days"
window    = "180d"
n_min     = 28
cov_min   = 0.0
mad_floor = 7.0
class     = "trace"
---*/

WITH met AS (
    SELECT student_key, occurred_on
    FROM stg_contact_record

    UNION ALL

    SELECT student_key, occurred_on
    FROM fct_participation

    UNION ALL

    SELECT student_key, campus_on(submitted_at)
    FROM fct_ticket
    WHERE student_key IS NOT NULL
),

covered AS (
    SELECT least(180, arrow_cast($as_of, 'Int32') - arrow_cast(min(occurred_on), 'Int32')) AS n
    FROM stg_contact_record
    HAVING count(*) > 0
)

-- Who was never met has been without contact for as long as contacts are recorded.
SELECT
    dim_student.student_key,
    least(max(covered.n), coalesce(arrow_cast($as_of, 'Int32') - arrow_cast(max(met.occurred_on), 'Int32'), max(covered.n))) AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN met ON met.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

/*---
kind      = "measure"
about     = "Loans of the library over 180 days; never what was borrowed (借阅次数)."
about_zh  = "近180天从图书馆借书的次数；从不记录借了什么书。"
title_zh  = "借阅次数"
title_en  = "Library loans"
owner     = "library"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "study"
unit      = "count"
window    = "180d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

-- Support is the days of the window that the library's system covers: who borrowed nothing is known to have borrowed nothing.
WITH covered AS (
    SELECT least(180, CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', min(borrowed_at))) AS BIGINT) / 86400) AS n
    FROM stg_library_loan
    HAVING count(*) > 0
)

SELECT
    dim_student.student_key,
    count(DISTINCT stg_library_loan.loan_id) AS value,
    max(covered.n) AS n,
    1.0 AS cov
FROM dim_student
CROSS JOIN covered
LEFT JOIN stg_library_loan ON stg_library_loan.student_key = dim_student.student_key
    AND stg_library_loan.borrowed_at >= day_start(CAST($as_of - INTERVAL '180' DAY AS DATE))
WHERE dim_student.as_of_on = $as_of
GROUP BY dim_student.student_key

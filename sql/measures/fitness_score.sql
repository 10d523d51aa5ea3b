/*---
kind      = "measure"
about     = "Total of the newest fitness test (体质测试总分)."
about_zh  = "近两年内最近一次体质测试的总分。"
title_zh  = "体质测试总分"
title_en  = "Fitness total"
owner     = "pe_art_office"
subject   = "student_key"
purpose   = ["portrait", "evaluation"]
dimension = "wellbeing"
facet     = "body"
unit      = "points"
window    = "2y"
n_min     = 1
cov_min   = 0.0
mad_floor = 5.0
class     = "closed"
---*/

SELECT
    student_key,
    first_value(score ORDER BY tested_on DESC, test_id DESC) AS value,
    count(*) AS n,
    1.0 AS cov
FROM stg_fitness_test
WHERE tested_on < $as_of AND tested_on >= $as_of - INTERVAL '730' DAY
GROUP BY student_key

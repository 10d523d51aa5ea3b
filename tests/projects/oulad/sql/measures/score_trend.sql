/*---
kind      = "measure"
about     = "Points a day by which scores rise or fall from deadline to deadline: the middle of all slopes (成绩趋势)."
title_zh  = "成绩趋势"
title_en  = "Trend of scores"
owner     = "registry"
subject   = "student_key"
purpose   = ["portrait", "trend_warning"]
dimension = "academic"
facet     = "grade"
unit      = "points_per_day"
window    = "300d"
n_min     = 3
cov_min   = 0.0
mad_floor = 0.05
class     = "trace"
---*/

SELECT
    student_key,
    theil_sen(due_day, CAST(score_tenths AS DECIMAL(18, 6)) / 10) AS value,
    count(score_tenths) AS n,
    1.0 AS cov
FROM fct_assessment
WHERE is_current AND is_submitted AND due_day IS NOT NULL AND assessment_type <> 'exam'
GROUP BY student_key

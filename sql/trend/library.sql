/*---
kind      = "trend"
about     = "Share of teaching days with a visit to the library, by week (入馆)."
about_zh  = "按周，教学日中去图书馆的天数占比。"
title_zh  = "入馆天数占比"
title_en  = "Days with a library visit"
owner     = "library"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "library"
thread    = "academic"
direction = "falling"
unit      = "share"
n_min     = 3
cov_min   = 0.0
noise     = "events"
class     = "trace"
caveat_zh = "可能换了自习地点；入馆不等于学习，不入馆也不等于不学习。"
caveat_en = "The student may study elsewhere: a visit to the library is not study, and none is not idleness."
first_step_zh = "问问近来在哪里自习、学习上有没有卡住的地方，不必追问去不去图书馆。"
first_step_en = "Ask where the student studies these days and what is hard; there is no need to ask about the library."
---*/

SELECT
    student_key,
    week_no,
    CAST(sum(CASE WHEN library_minutes > 0 THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    1.0 AS cov
FROM int_usual_day
WHERE is_library_seen
GROUP BY student_key, week_no

/*---
kind      = "trend"
about     = "Minutes in the library on a teaching day, by week (图书馆时长)."
title_zh  = "日均在馆时长"
title_en  = "Library time a day"
owner     = "library"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "library"
thread    = "academic"
direction = "falling"
unit      = "minute"
n_min     = 3
cov_min   = 0.0
mad_floor = 25.0
class     = "trace"
caveat_zh = "可能换了自习地点；在馆时长不等于学习时长。"
caveat_en = "The student may study elsewhere: time in the library is not time of study."
---*/

SELECT
    student_key,
    week_no,
    CAST(sum(library_minutes) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    1.0 AS cov
FROM int_usual_day
WHERE is_library_seen
GROUP BY student_key, week_no

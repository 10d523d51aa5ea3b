/*---
kind      = "trend"
about     = "Last way into the dormitory in the evening, by week (晚归时刻)."
about_zh  = "按周，晚间最后一次进入宿舍的时间。"
title_zh  = "晚间回寝时刻"
title_en  = "Evening return"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "return"
thread    = "life_aid"
direction = "rising"
unit      = "minute_of_day"
n_min     = 3
cov_min   = 0.0
mad_floor = 25.0
class     = "trace"
caveat_zh = "可能有社团、实验、实习或晚自习安排；时刻变化不说明原因。"
caveat_en = "Clubs, laboratories, work or study may be the reason: a later hour does not say why."
first_step_zh = "先想想是否在准备考试、比赛或值班，再问问近来晚上忙些什么、休息够不够。"
first_step_en = "Think of exams, contests or shifts first; then ask what the evenings are full of and whether there is enough rest."
---*/

SELECT
    student_key,
    week_no,
    median(CAST(evening_last_in_minute AS DOUBLE)) AS value,
    count(*) AS n,
    1.0 AS cov
FROM int_usual_day
WHERE is_dorm_seen AND evening_last_in_minute IS NOT NULL
GROUP BY student_key, week_no

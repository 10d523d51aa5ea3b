/*---
kind      = "trend"
about     = "Share of teaching days with a breakfast, by week (早餐)."
about_zh  = "按周，教学日中吃早餐的天数占比。"
title_zh  = "早餐天数占比"
title_en  = "Days with breakfast"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "meal"
thread    = "life_aid"
direction = "falling"
unit      = "share"
n_min     = 3
cov_min   = 0.0
noise     = "events"
class     = "trace"
caveat_zh = "可能改用手机支付、点外卖或在校外用餐；没有刷卡记录不等于没有吃饭。"
caveat_en = "The student may pay by phone, order in or eat off campus: no card record is not a missed meal."
first_step_zh = "顺路问问近来睡得、吃得怎么样，课程安排是不是有变化。"
first_step_en = "Ask in passing how sleep and meals are, and whether the timetable has changed."
---*/

SELECT
    student_key,
    week_no,
    CAST(sum(CASE WHEN breakfast_n > 0 THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    1.0 AS cov
FROM int_usual_day
WHERE is_canteen_seen
GROUP BY student_key, week_no

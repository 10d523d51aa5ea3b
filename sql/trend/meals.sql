/*---
kind      = "trend"
about     = "Meals in canteens on a teaching day, by week (食堂用餐)."
about_zh  = "按周，教学日在食堂的用餐次数。"
title_zh  = "日均食堂用餐次数"
title_en  = "Canteen meals a day"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "meal"
thread    = "life_aid"
direction = "falling"
unit      = "count"
n_min     = 3
cov_min   = 0.0
mad_floor = 0.35
class     = "trace"
caveat_zh = "可能改用手机支付、点外卖或在校外用餐；没有刷卡记录不等于没有吃饭。"
caveat_en = "The student may pay by phone, order in or eat off campus: no card record is not a missed meal."
first_step_zh = "约着一起吃顿饭，听听近况；也可能只是换了吃饭的地方。"
first_step_en = "Share a meal and listen; it may only be another place to eat."
---*/

SELECT
    student_key,
    week_no,
    CAST(sum(meal_n) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    1.0 AS cov
FROM int_usual_day
WHERE is_canteen_seen
GROUP BY student_key, week_no

/*---
kind      = "trend"
about     = "Share of teaching days with a shower on the card, by week (洗浴)."
about_zh  = "按周，教学日中有洗浴刷卡的天数占比。"
title_zh  = "洗浴天数占比"
title_en  = "Days with a shower"
owner     = "logistics_office"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "water"
thread    = "life_aid"
direction = "falling"
unit      = "share"
n_min     = 3
cov_min   = 0.0
noise     = "events"
class     = "trace"
caveat_zh = "可能改用其他浴室或支付方式。"
caveat_en = "The student may use another bathroom or pay otherwise."
first_step_zh = "先查浴室是否停水、检修，再问问近来作息和身体怎么样。"
first_step_en = "See whether the bath house was closed; then ask how days and health are."
---*/

SELECT
    student_key,
    week_no,
    CAST(sum(CASE WHEN shower_minute IS NOT NULL THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    1.0 AS cov
FROM int_usual_day
WHERE is_canteen_seen
GROUP BY student_key, week_no

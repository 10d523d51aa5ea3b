/*---
kind      = "trend"
about     = "Share of teaching days with a shower on the card, by week, of those on which anybody of the building had one (洗浴)."
about_zh  = "按周，教学日中有洗浴刷卡的天数占比；整栋楼当天都没有洗浴刷卡的日子不计。"
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

-- Terminals of bath houses give no sign of life of their own: they were seen on days on which anybody of the house had a
-- shower. Where nobody had one, water or terminals may have been off, and the day says nothing of anybody.
WITH bath AS (
    SELECT dim_student.building_id, int_usual_day.occurred_on
    FROM int_usual_day
    INNER JOIN dim_student ON dim_student.student_key = int_usual_day.student_key AND dim_student.as_of_on = $as_of
    WHERE int_usual_day.shower_minute IS NOT NULL
    GROUP BY dim_student.building_id, int_usual_day.occurred_on
),

counted AS (
    SELECT
        int_usual_day.student_key,
        int_usual_day.week_no,
        sum(CASE WHEN int_usual_day.shower_minute IS NOT NULL THEN 1 ELSE 0 END) AS shower_n,
        count(bath.occurred_on) AS seen_n,
        count(*) AS days_n
    FROM int_usual_day
    INNER JOIN dim_student ON dim_student.student_key = int_usual_day.student_key AND dim_student.as_of_on = $as_of
    LEFT JOIN bath
        -- Last, for the parser takes an AND behind it for a part of what is compared.
        ON bath.occurred_on = int_usual_day.occurred_on AND bath.building_id IS NOT DISTINCT FROM dim_student.building_id
    GROUP BY int_usual_day.student_key, int_usual_day.week_no
)

SELECT
    student_key,
    week_no,
    -- A student with a shower is one of the house: no shower lies on a day that was not seen.
    CAST(shower_n AS DECIMAL(18, 6)) / nullif(seen_n, 0) AS value,
    seen_n AS n,
    CAST(seen_n AS DECIMAL(18, 6)) / days_n AS cov
FROM counted

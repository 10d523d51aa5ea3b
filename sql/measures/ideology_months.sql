/*---
kind      = "measure"
about     = "Months of the last four with a party or league day or lecture (思想引领参与持续性): how steadily somebody takes part. Taking part only, never what anybody thinks."
about_zh  = "近120天按30天为一个月分成四个月，其中有几个月参加过党团日活动或思想类讲座：看参与是否持续。只计参与，不评价任何人的思想。"
title_zh  = "思想引领参与月数"
title_en  = "Months with party and league activities"
owner     = "youth_league_committee"
subject   = "student_key"
purpose   = ["portrait", "recommendation", "evaluation"]
dimension = "ideology_participation"
facet     = "participation"
unit      = "count"
window    = "120d"
n_min     = 28
cov_min   = 0.0
mad_floor = 1.0
class     = "trace"
---*/

-- Months of thirty days, counted back from the date: a calendar month that has just begun says nothing.
WITH taken AS (
    SELECT student_key, count(DISTINCT (arrow_cast($as_of, 'Int32') - 1 - arrow_cast(occurred_on, 'Int32')) / 30) AS month_n
    FROM fct_participation
    WHERE kind IN ('party_league_day', 'ideology_lecture')
        AND occurred_on >= $as_of - INTERVAL '120' DAY AND occurred_on < $as_of
    GROUP BY student_key
)

SELECT int_participation_window.student_key, coalesce(taken.month_n, 0) AS value, int_participation_window.n, 1.0 AS cov
FROM int_participation_window
LEFT JOIN taken ON taken.student_key = int_participation_window.student_key

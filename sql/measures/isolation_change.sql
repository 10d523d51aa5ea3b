/*---
kind      = "measure"
about     = "How many fewer others the student eats with than four weeks ago, less what changed for the middle of the peers: an exam week or a holiday thins everybody's tables (共餐减少). Without pairs of four weeks ago nothing is said; who ate too little then cannot have fewer now."
about_zh  = "与四周前相比，一起用餐的其他人少了几个，再减去同类学生中位数的变化：考试周和假期会让每个人一起用餐的人变少。四周前没有配对时不计算；当时用餐很少的人，现在不可能更少。"
title_zh  = "共餐减少"
title_en  = "Fewer eaten with"
owner     = "psychology_center"
subject   = "student_key"
purpose   = ["care"]
dimension = "social"
facet     = "company"
unit      = "count"
window    = "56d"
n_min     = 20
cov_min   = 0.8
mad_floor = 1.0
class     = "closed"

[settings]
meals_min = 20    # canteen meals of 28 days: who eats elsewhere has no company that tills could see, and is nobody's measure
peers_min = 20    # a smaller group widens to the year
---*/

WITH tie AS (
    SELECT u AS student_key, v AS other_key, as_of_on FROM closed_edge WHERE as_of_on IN ($as_of, $as_of - INTERVAL '28' DAY)

    UNION ALL

    SELECT v, u, as_of_on FROM closed_edge WHERE as_of_on IN ($as_of, $as_of - INTERVAL '28' DAY)
),

-- Pairs of four weeks ago may hold somebody who has left since.
degree AS (
    SELECT
        tie.student_key,
        sum(CASE WHEN tie.as_of_on = $as_of THEN 1 ELSE 0 END) AS now_n,
        sum(CASE WHEN tie.as_of_on = $as_of THEN 0 ELSE 1 END) AS then_n
    FROM tie
    LEFT JOIN closed_social_left AS own ON own.student_key = tie.student_key
    LEFT JOIN closed_social_left AS other ON other.student_key = tie.other_key
    WHERE own.student_key IS NULL AND other.student_key IS NULL
    GROUP BY tie.student_key
),

earlier AS (
    SELECT count(*) AS edges_n
    FROM closed_edge
    WHERE as_of_on = $as_of - INTERVAL '28' DAY
),

meal AS (
    SELECT student_key, count(DISTINCT meal) AS n
    FROM closed_swipe
    GROUP BY student_key
),

changed AS (
    SELECT
        meal.student_key,
        concat_ws('|', dim_student.study_stage, CASE WHEN dim_student.study_stage <> 'graduate' THEN dim_student.grade END) AS far,
        concat_ws('|', dim_student.study_stage, CASE WHEN dim_student.study_stage <> 'graduate' THEN dim_student.grade END,
            dim_student.college, CASE WHEN dim_student.study_stage <> 'graduate' THEN dim_student.campus END) AS near,
        CAST(coalesce(degree.then_n, 0) - coalesce(degree.now_n, 0) AS DOUBLE) AS fewer_n,
        meal.n
    FROM meal
    CROSS JOIN earlier
    INNER JOIN dim_student ON dim_student.student_key = meal.student_key AND dim_student.as_of_on = $as_of
    LEFT JOIN degree ON degree.student_key = meal.student_key
    WHERE earlier.edges_n > 0 AND meal.n >= ${meals_min}
),

near_peer AS (
    SELECT near, count(*) AS people, median(fewer_n) AS usual_n
    FROM changed
    GROUP BY near
),

far_peer AS (
    SELECT far, median(fewer_n) AS usual_n
    FROM changed
    GROUP BY far
    HAVING count(*) >= ${peers_min}
)

SELECT
    changed.student_key,
    -- Where the peers eat with more than before, nobody has lost by eating with as many as ever.
    changed.fewer_n - greatest(CASE WHEN near_peer.people >= ${peers_min} THEN near_peer.usual_n ELSE far_peer.usual_n END, 0) AS value,
    changed.n,
    int_coverage.canteen_cov AS cov
FROM changed
CROSS JOIN int_coverage
INNER JOIN near_peer ON near_peer.near = changed.near
LEFT JOIN far_peer ON far_peer.far = changed.far

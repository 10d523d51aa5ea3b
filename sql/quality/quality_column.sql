/*---
kind         = "table"
about        = "Each declared column of codes or numbers of each source of events: whether the values of the last seven days are spread as in the four weeks before (取值分布)."
about_zh     = "每个事件来源中声明为编码或数值的列：最近七天的取值分布与此前四周相比有没有变化；行数太少的为数据不足。"
owner        = "network_center"
materialized = "whole"
grain        = ["source", "column_name"]
purpose      = ["cockpit"]

[settings]
now_min  = 200    # rows of the seven days: a handful says nothing of a spread
past_min = 800    # rows of the four weeks before
psi_max  = 0.25   # beyond it the values have changed

[columns]
source      = { about = "Pipeline.", about_zh = "数据来源。", class = "internal" }
column_name = { about = "Column of its contract.", about_zh = "数据约定中的列。", class = "internal" }
now_n       = { about = "Rows of the last seven days.", about_zh = "最近七天的行数。", class = "internal" }
past_n      = { about = "Rows of the four weeks before.", about_zh = "此前四周的行数。", class = "internal" }
psi         = { about = "Population stability index of the values: 0 is the same, beyond 0.25 they have changed; empty where there are too few rows.", about_zh = "取值分布的稳定度指数：0为相同，超过0.25为已变化；行数太少时为空。", class = "internal" }
state       = { about = "ok, drift or insufficient.", about_zh = "ok 正常、drift 分布变化或 insufficient 数据不足。", class = "internal" }
---*/

-- The day after the newest of all: a table of deliveries is about now, not about the past.
WITH today AS (
    SELECT max(occurred_on) + INTERVAL '1' DAY AS as_of
    FROM drift_column_day
),

counted AS (
    SELECT
        drift_column_day.source,
        drift_column_day.column_name,
        drift_column_day.bucket,
        drift_column_day.place,
        sum(CASE WHEN drift_column_day.occurred_on >= today.as_of - INTERVAL '7' DAY THEN drift_column_day.rows_n ELSE 0 END) AS now_n,
        sum(CASE WHEN drift_column_day.occurred_on < today.as_of - INTERVAL '7' DAY THEN drift_column_day.rows_n ELSE 0 END) AS past_n
    FROM drift_column_day
    CROSS JOIN today
    WHERE drift_column_day.occurred_on >= today.as_of - INTERVAL '35' DAY AND drift_column_day.occurred_on < today.as_of
    GROUP BY drift_column_day.source, drift_column_day.column_name, drift_column_day.bucket, drift_column_day.place
),

ranked AS (
    SELECT
        *,
        sum(past_n) OVER (PARTITION BY source, column_name, place IS NULL ORDER BY place) AS up_to,
        sum(past_n) OVER (PARTITION BY source, column_name, place IS NULL) AS number_n
    FROM counted
),

-- Numbers fall into the tenths of the source's own past, a place as a whole into the one in which its middle lies; what has no
-- value is a part of its own, and so is a number where there was none before.
part AS (
    SELECT
        source,
        column_name,
        CASE WHEN place IS NULL THEN bucket
            WHEN number_n = 0 THEN 'new'
            ELSE CAST(least(9, 5 * (2 * up_to - past_n) / number_n) AS VARCHAR) END AS part,
        sum(now_n) AS now_n,
        sum(past_n) AS past_n
    FROM ranked
    GROUP BY source, column_name, CASE WHEN place IS NULL THEN bucket
        WHEN number_n = 0 THEN 'new'
        ELSE CAST(least(9, 5 * (2 * up_to - past_n) / number_n) AS VARCHAR) END
),

-- One row is added to every part, so that an empty one has a logarithm.
spread AS (
    SELECT
        source,
        column_name,
        CAST(now_n + 1 AS DOUBLE) / (sum(now_n) OVER own + count(*) OVER own) AS now_share,
        CAST(past_n + 1 AS DOUBLE) / (sum(past_n) OVER own + count(*) OVER own) AS past_share,
        now_n,
        past_n
    FROM part
    WINDOW own AS (PARTITION BY source, column_name)
),

moved AS (
    SELECT
        source,
        column_name,
        sum(now_n) AS now_n,
        sum(past_n) AS past_n,
        sum(CAST((now_share - past_share) * ln(now_share / past_share) AS DECIMAL(18, 9))) AS psi
    FROM spread
    GROUP BY source, column_name
)

SELECT
    source,
    column_name,
    now_n,
    past_n,
    CASE WHEN now_n >= ${now_min} AND past_n >= ${past_min} THEN round(CAST(psi AS DOUBLE), 4) END AS psi,
    CASE WHEN now_n < ${now_min} OR past_n < ${past_min} THEN 'insufficient'
        WHEN psi > ${psi_max} THEN 'drift'
        ELSE 'ok' END AS state
FROM moved

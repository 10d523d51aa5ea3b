/*---
kind         = "table"
about        = "Each source of events: how fresh, how many rows against what is usual, and whether its day looks different (数据质量)."
about_zh     = "每个事件来源的情况：有多新、行数与通常相比如何、当天的分布是否不同。"
owner        = "network_center"
materialized = "whole"
grain        = ["source"]
purpose      = ["cockpit"]

[settings]
volume_min = 0.5    # of what is usual on such a day
rows_min   = 50     # a source of a few rows a day has no usual volume
psi_max    = 0.25   # beyond it the source has changed

[columns]
source     = { about = "Pipeline.", about_zh = "数据来源。" }
fresh_to   = { about = "Newest day with rows.", about_zh = "有数据的最新一天。", class = "internal" }
rows_last  = { about = "Rows of the newest complete day.", about_zh = "最近一个完整日的行数。", class = "internal" }
rows_usual = { about = "Median of the same weekday over the eight weeks before.", about_zh = "此前八周同一星期几的行数中位数。", class = "internal" }
late_share = { unit = "share", about = "Rows of the last week that became known a day or more after their own day.", about_zh = "最近一周里，晚于自己那天一天或以上才到的行所占比例。", class = "internal" }
psi        = { about = "Population stability index of the hours of the last seven days against the four weeks before: 0 is the same, beyond 0.25 it has changed.", about_zh = "最近七天与此前四周的时段分布之间的稳定度指数：0为相同，超过0.25为已变化。", class = "internal" }
column_psi = { about = "Greatest index of the values of a declared column (quality_column); empty where there are too few rows.", about_zh = "各声明列取值分布稳定度指数中最大的一个（见 quality_column）；行数太少时为空。", class = "internal" }
moved_columns = { about = "Columns whose values have changed, the most changed first, with commas; empty where none has.", about_zh = "取值分布已变化的列，变化最大的在前，以逗号分隔；没有时为空。", class = "internal" }
state      = { about = "ok, late, low or drift.", about_zh = "ok 正常、late 迟到、low 偏少或 drift 分布变化。", class = "internal" }
---*/

-- The day after the newest of all: a table of deliveries is about now, not about the past.
WITH today AS (
    SELECT max(occurred_on) + INTERVAL '1' DAY AS as_of
    FROM quality_source_day
),

day AS (
    SELECT quality_source_day.*, arrow_cast(occurred_on, 'Int32') % 7 AS weekday, today.as_of
    FROM quality_source_day
    CROSS JOIN today
    WHERE occurred_on >= as_of - INTERVAL '60' DAY AND occurred_on < as_of
),

newest AS (
    SELECT source, max(occurred_on) AS fresh_to, max(as_of) AS as_of
    FROM day
    GROUP BY source
),

last_day AS (
    SELECT day.source, day.rows_n, day.weekday
    FROM day
    INNER JOIN newest ON newest.source = day.source AND newest.fresh_to = day.occurred_on
),

usual AS (
    SELECT day.source, median(CAST(day.rows_n AS DOUBLE)) AS rows_usual
    FROM day
    INNER JOIN newest ON newest.source = day.source
    INNER JOIN last_day ON last_day.source = day.source AND last_day.weekday = day.weekday
    WHERE day.occurred_on < newest.fresh_to
    GROUP BY day.source
),

-- Sources that have rows on most days are expected every day; a weekly file is not late on its second day. The days are those
-- up to its newest: one that has stopped has none since.
rhythm AS (
    SELECT day.source, count(*) AS days_n
    FROM day
    INNER JOIN newest ON newest.source = day.source
    WHERE day.occurred_on > newest.fresh_to - INTERVAL '28' DAY
    GROUP BY day.source
),

hours AS (
    SELECT
        source,
        sum(CASE WHEN occurred_on >= as_of - INTERVAL '7' DAY THEN night_n ELSE 0 END) AS now_night,
        sum(CASE WHEN occurred_on >= as_of - INTERVAL '7' DAY THEN morning_n ELSE 0 END) AS now_morning,
        sum(CASE WHEN occurred_on >= as_of - INTERVAL '7' DAY THEN afternoon_n ELSE 0 END) AS now_afternoon,
        sum(CASE WHEN occurred_on >= as_of - INTERVAL '7' DAY THEN evening_n ELSE 0 END) AS now_evening,
        sum(CASE WHEN occurred_on >= as_of - INTERVAL '7' DAY THEN late_n ELSE 0 END) AS now_late,
        sum(CASE WHEN occurred_on < as_of - INTERVAL '7' DAY AND occurred_on >= as_of - INTERVAL '35' DAY THEN night_n ELSE 0 END) AS past_night,
        sum(CASE WHEN occurred_on < as_of - INTERVAL '7' DAY AND occurred_on >= as_of - INTERVAL '35' DAY THEN morning_n ELSE 0 END) AS past_morning,
        sum(CASE WHEN occurred_on < as_of - INTERVAL '7' DAY AND occurred_on >= as_of - INTERVAL '35' DAY THEN afternoon_n ELSE 0 END) AS past_afternoon,
        sum(CASE WHEN occurred_on < as_of - INTERVAL '7' DAY AND occurred_on >= as_of - INTERVAL '35' DAY THEN evening_n ELSE 0 END) AS past_evening
    FROM day
    GROUP BY source
),

-- One row is added to every part of the day, so that an empty one has a logarithm.
part AS (
    SELECT
        source,
        CAST(now_night + 1 AS DOUBLE) / (now_night + now_morning + now_afternoon + now_evening + 4) AS now_night,
        CAST(now_morning + 1 AS DOUBLE) / (now_night + now_morning + now_afternoon + now_evening + 4) AS now_morning,
        CAST(now_afternoon + 1 AS DOUBLE) / (now_night + now_morning + now_afternoon + now_evening + 4) AS now_afternoon,
        CAST(now_evening + 1 AS DOUBLE) / (now_night + now_morning + now_afternoon + now_evening + 4) AS now_evening,
        CAST(past_night + 1 AS DOUBLE) / (past_night + past_morning + past_afternoon + past_evening + 4) AS past_night,
        CAST(past_morning + 1 AS DOUBLE) / (past_night + past_morning + past_afternoon + past_evening + 4) AS past_morning,
        CAST(past_afternoon + 1 AS DOUBLE) / (past_night + past_morning + past_afternoon + past_evening + 4) AS past_afternoon,
        CAST(past_evening + 1 AS DOUBLE) / (past_night + past_morning + past_afternoon + past_evening + 4) AS past_evening,
        CAST(now_late AS DOUBLE) / nullif(now_night + now_morning + now_afternoon + now_evening, 0) AS late_share,
        past_night + past_morning + past_afternoon + past_evening AS past_n,
        now_night + now_morning + now_afternoon + now_evening AS now_n
    FROM hours
),

moved AS (
    SELECT
        source,
        late_share,
        -- A handful of rows says nothing of hours.
        CASE WHEN past_n >= 2000 AND now_n >= 500 THEN
            (now_night - past_night) * ln(now_night / past_night) + (now_morning - past_morning) * ln(now_morning / past_morning)
            + (now_afternoon - past_afternoon) * ln(now_afternoon / past_afternoon) + (now_evening - past_evening) * ln(now_evening / past_evening)
        END AS psi
    FROM part
),

-- A till that charges twice keeps its hours: what the rows say is looked at as well.
said AS (
    SELECT
        source,
        max(psi) AS column_psi,
        string_agg(CASE WHEN state = 'drift' THEN column_name END, ',' ORDER BY psi DESC NULLS LAST, column_name) AS moved_columns
    FROM quality_column
    GROUP BY source
)

SELECT
    newest.source,
    newest.fresh_to,
    last_day.rows_n AS rows_last,
    CAST(round(usual.rows_usual) AS BIGINT) AS rows_usual,
    round(moved.late_share, 4) AS late_share,
    round(moved.psi, 4) AS psi,
    said.column_psi,
    nullif(said.moved_columns, '') AS moved_columns,
    CASE WHEN rhythm.days_n >= 27 AND newest.fresh_to < newest.as_of - INTERVAL '2' DAY THEN 'late'
        WHEN rhythm.days_n >= 27 AND usual.rows_usual >= ${rows_min} AND last_day.rows_n < ${volume_min} * usual.rows_usual THEN 'low'
        WHEN moved.psi > ${psi_max} OR said.moved_columns <> '' THEN 'drift'
        ELSE 'ok' END AS state
FROM newest
INNER JOIN last_day ON last_day.source = newest.source
LEFT JOIN usual ON usual.source = newest.source
LEFT JOIN rhythm ON rhythm.source = newest.source
LEFT JOIN moved ON moved.source = newest.source
LEFT JOIN said ON said.source = newest.source

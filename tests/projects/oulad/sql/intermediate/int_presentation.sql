/*---
kind         = "table"
about        = "Presentations with the days on which they begin and end."
owner        = "registry"
materialized = "view"
purpose      = ["portrait", "trend_warning", "cockpit"]

[columns]
started_on = { about = "Day 0. The data name year and month only; the first of the month is assumed, as in the contracts." }
ended_on   = { about = "Last day." }

[settings]
start_2013b = "2013-02-01"
start_2013j = "2013-10-01"
start_2014b = "2014-02-01"
start_2014j = "2014-10-01"
---*/

WITH begun AS (
    SELECT
        code_module,
        code_presentation,
        length_days,
        CASE code_presentation
            WHEN '2013B' THEN DATE ${start_2013b}
            WHEN '2013J' THEN DATE ${start_2013j}
            WHEN '2014B' THEN DATE ${start_2014b}
            WHEN '2014J' THEN DATE ${start_2014j}
        END AS started_on
    FROM stg_course
    WHERE superseded_at IS NULL
)

SELECT
    code_module,
    code_presentation,
    length_days,
    started_on,
    arrow_cast(arrow_cast(started_on, 'Int32') + arrow_cast(length_days, 'Int32'), 'Date32') AS ended_on
FROM begun

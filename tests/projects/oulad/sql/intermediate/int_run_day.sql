/*---
kind         = "table"
about        = "Days on which some presentation runs: all of them are days of teaching."
owner        = "registry"
materialized = "view"
purpose      = ["portrait", "trend_warning"]

[columns]
date = { about = "Civil day." }
kind = { about = "Kind of day; always teaching, for the data name no holidays." }
---*/

WITH run AS (
    SELECT unnest(generate_series(started_on, ended_on, INTERVAL '1' DAY)) AS date
    FROM int_presentation
)

SELECT DISTINCT CAST(date AS DATE) AS date, 'teaching' AS kind
FROM run

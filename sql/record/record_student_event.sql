/*---
kind         = "table"
about        = "Append-only timeline of what happened with a student, each entry with its source and who says so (过程记录)."
about_zh     = "过程记录：学生经历的事按时间只增不改，每条注明来源和由谁说。"
owner        = "student_affairs_office"
materialized = "whole"
grain        = ["event_id"]
subject      = "student_key"
purpose      = ["portrait", "service"]

[columns]
occurred_on   = { about = "Campus day on which it happened.", about_zh = "事情发生的校园日。", class = "trace" }
academic_year = { about = "Academic year of that day, as 2025-2026.", about_zh = "当天所属学年，如 2025-2026。", class = "trace" }
---*/

-- An academic year begins in August: whoever moves in early belongs to the year that follows.
WITH entry AS (
    SELECT * FROM int_record_life

    UNION ALL

    SELECT * FROM int_record_study

    UNION ALL

    SELECT * FROM int_record_growth

    UNION ALL

    SELECT * FROM int_record_service
)

SELECT
    event_id,
    student_key,
    kind,
    step,
    title_zh,
    title_en,
    detail_zh,
    detail_en,
    occurred_at,
    campus_on(occurred_at) AS occurred_on,
    concat(
        CAST(date_part('year', campus_on(occurred_at) - INTERVAL '7' MONTH) AS VARCHAR), '-',
        CAST(date_part('year', campus_on(occurred_at) - INTERVAL '7' MONTH) + 1 AS VARCHAR)
    ) AS academic_year,
    known_at,
    source,
    trust,
    is_milestone
FROM entry
WHERE occurred_at IS NOT NULL

/*---
kind         = "table"
about        = "Append-only timeline of what happened with a student, each entry with its source and who says so; what was corrected or taken back stays, marked as such (过程记录)."
about_zh     = "过程记录：学生经历的事按时间只增不改，每条注明来源和由谁说；已更正、已失效的仍保留并注明。"
owner        = "student_affairs_office"
materialized = "whole"
grain        = ["event_id"]
subject      = "student_key"
purpose      = ["portrait", "service"]

[columns]
occurred_on   = { about = "Campus day on which it happened.", about_zh = "事情发生的校园日。", class = "trace" }
academic_year = { about = "Academic year of that day, as 2025-2026.", about_zh = "当天所属学年，如 2025-2026。", class = "trace" }
event_id      = { about = "Id of the entry: source and its own number; behind #2 and so on what it was corrected to.", about_zh = "条目编号：来源及其自己的编号；更正后的内容另加 #2 等。", class = "trace" }
known_at      = { about = "When the platform could first know it.", about_zh = "平台最早何时可以知道。", class = "trace" }
superseded_on = { about = "Campus day on which it was corrected or taken back; empty while it holds.", about_zh = "被更正或收回的校园日；仍有效的为空。", class = "trace" }
ended_as      = { about = "corrected where another entry says it as it is now, ended where none does; empty while it holds.", about_zh = "corrected 已更正：另有条目说明现在的内容；ended 已失效：没有；仍有效的为空。", class = "trace" }
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
),

-- Versions that show the same are one entry, also where the row was something else in between: it holds while one of them does,
-- and is known since the first. A version that another took the place of before it could be known was never shown.
shown AS (
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
        source,
        trust,
        is_milestone,
        min(known_at) AS known_at,
        CASE WHEN count(*) = count(superseded_at) THEN max(superseded_at) END AS superseded_at
    FROM entry
    WHERE occurred_at IS NOT NULL AND (superseded_at IS NULL OR superseded_at > known_at)
    GROUP BY event_id, student_key, kind, step, title_zh, title_en, detail_zh, detail_en, occurred_at, source, trust, is_milestone
),

-- The first keeps the number of its row, so that no entry is ever called otherwise than before.
told AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY event_id ORDER BY known_at, superseded_at NULLS LAST, occurred_at, detail_zh, step, student_key) AS place,
        row_number() OVER (PARTITION BY event_id ORDER BY superseded_at DESC NULLS FIRST, known_at DESC, occurred_at, detail_zh, step, student_key) AS newest
    FROM shown
)

SELECT
    CASE WHEN place = 1 THEN event_id ELSE concat(event_id, '#', CAST(place AS VARCHAR)) END AS event_id,
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
    is_milestone,
    campus_on(superseded_at) AS superseded_on,
    CASE WHEN superseded_at IS NULL THEN NULL WHEN newest = 1 THEN 'ended' ELSE 'corrected' END AS ended_as
FROM told

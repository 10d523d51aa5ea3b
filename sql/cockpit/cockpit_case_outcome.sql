/*---
kind         = "table"
about        = "What came of offers of the data whose case somebody closed within ninety days, for the university (近90天关怀提示结果). Counts of care are small-group data: below ten they are not told."
about_zh     = "数据产生的关怀提示中，近90天有人结案的结果，全校合计。关怀人数属于小群体数据：不足十不显示。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["scope"]
purpose      = ["cockpit"]

[columns]
scope                   = { about = "Always university: figures of care go no lower.", about_zh = "总是 university（全校）：关怀数字不再往下分。", class = "internal" }
closed_n                = { about = "Cases with an offer of the data that somebody closed.", about_zh = "有数据提示且已有人结案的个案数。", class = "internal" }
acted_on_n              = { about = "Of these: support was needed, was there already, or the student was referred.", about_zh = "其中：需要支持、已在支持中，或已转介。", class = "internal" }
no_support_needed_n     = { about = "Of these: no support needed (无需支持).", about_zh = "其中：无需支持。", class = "internal" }
excluded_n              = { about = "Of these: on leave, or a device (排除).", about_zh = "其中：请假或设备原因而排除。", class = "internal" }
not_reachable_n         = { about = "Of these: could not be reached (无法联系).", about_zh = "其中：无法联系到本人。", class = "internal" }
no_support_needed_share = { unit = "share", about = "Share in which no support was needed (无需支持占比).", about_zh = "无需支持所占比例。", class = "internal" }
---*/

WITH offered AS (
    SELECT DISTINCT thread_key
    FROM stg_case_offer
    WHERE thread_key IS NOT NULL
),

counted AS (
    SELECT
        count(*) AS closed_n,
        sum(CASE WHEN stg_case_state.outcome IN ('needed_support', 'already_supported', 'referred') THEN 1 ELSE 0 END) AS acted_on_n,
        sum(CASE WHEN stg_case_state.outcome = 'no_support_needed' THEN 1 ELSE 0 END) AS no_support_needed_n,
        sum(CASE WHEN stg_case_state.outcome IN ('excluded_leave', 'excluded_device') THEN 1 ELSE 0 END) AS excluded_n,
        sum(CASE WHEN stg_case_state.outcome = 'not_reachable' THEN 1 ELSE 0 END) AS not_reachable_n
    FROM stg_case_state
    INNER JOIN offered ON offered.thread_key = stg_case_state.thread_key
    -- What expired by itself was judged by nobody.
    WHERE stg_case_state.step = 'closed' AND stg_case_state.reason <> 'quiet_for_long' AND stg_case_state.occurred_on >= $as_of - INTERVAL '90' DAY
),

-- One hidden figure among told ones follows from their sum: then none of them is told.
told AS (
    SELECT
        *,
        CASE WHEN acted_on_n < ${k_sensitive} THEN 1 ELSE 0 END + CASE WHEN no_support_needed_n < ${k_sensitive} THEN 1 ELSE 0 END
            + CASE WHEN excluded_n < ${k_sensitive} THEN 1 ELSE 0 END + CASE WHEN not_reachable_n < ${k_sensitive} THEN 1 ELSE 0 END <> 1 AS are_parts_told
    FROM counted
)

SELECT
    'university' AS scope,
    closed_n,
    CASE WHEN are_parts_told AND acted_on_n >= ${k_sensitive} THEN acted_on_n END AS acted_on_n,
    CASE WHEN are_parts_told AND no_support_needed_n >= ${k_sensitive} THEN no_support_needed_n END AS no_support_needed_n,
    CASE WHEN are_parts_told AND excluded_n >= ${k_sensitive} THEN excluded_n END AS excluded_n,
    CASE WHEN are_parts_told AND not_reachable_n >= ${k_sensitive} THEN not_reachable_n END AS not_reachable_n,
    CASE WHEN are_parts_told AND no_support_needed_n >= ${k_sensitive} THEN CAST(no_support_needed_n AS DOUBLE) / closed_n END AS no_support_needed_share
FROM told
WHERE closed_n >= ${k_sensitive}

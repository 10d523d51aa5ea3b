/*---
kind         = "table"
about        = "What came of what each rule and trend offered (规则成绩单): how often somebody was helped, and which are proposed to be retired. A case that expired by itself was judged by nobody and counts for nothing. Counts of care are small-group data: below ten they are not told."
about_zh     = "每条规则和趋势的提示最后怎样：有多少确实帮到了人，哪些建议停用。自行到期的个案无人判断过，不计。关怀人数属于小群体数据：不足十不显示。"
owner        = "student_affairs_office"
materialized = "as_of"
grain        = ["rule"]
purpose      = ["evaluation"]

[settings]
closed_min   = 200     # closed offers before anything is proposed
useful_min   = 20      # one in so many must have been of use
z            = 1.96    # of the interval: 95 %

[columns]
rule                  = { about = "File in sql/warning or sql/trend.", about_zh = "sql/warning 或 sql/trend 中的文件。", class = "internal" }
is_finding            = { about = "Whether it opens safety checks; these are never proposed to be retired.", about_zh = "是否引发安全核实；这类从不建议停用。", class = "internal" }
offered_n             = { about = "Offers it had part in.", about_zh = "它参与的提示数。", class = "internal" }
closed_n              = { about = "Of these, in a case that somebody closed.", about_zh = "其中所在个案已有人结案的。", class = "internal" }
expired_n             = { about = "Of these, in a case that expired by itself.", about_zh = "其中所在个案自行到期的。", class = "internal" }
needed_support_n      = { about = "Closed as: support was needed (真实需要支持).", about_zh = "结案为：真实需要支持。", class = "internal" }
already_supported_n   = { about = "Closed as: support was already there (已在支持中).", about_zh = "结案为：已在支持中。", class = "internal" }
excluded_leave_n      = { about = "Closed as: on leave (排除-请假).", about_zh = "结案为：排除，因请假。", class = "internal" }
excluded_device_n     = { about = "Closed as: a device (排除-设备).", about_zh = "结案为：排除，因设备。", class = "internal" }
no_support_needed_n   = { about = "Closed as: no support needed (无需支持).", about_zh = "结案为：无需支持。", class = "internal" }
not_reachable_n       = { about = "Closed as: could not be reached (无法联系).", about_zh = "结案为：无法联系。", class = "internal" }
referred_n            = { about = "Closed as: referred (转介).", about_zh = "结案为：转介。", class = "internal" }
acted_on_share        = { unit = "share", about = "Closed offers of use: support was needed, was there already, or the student was referred.", about_zh = "已结案提示中有用的比例：需要支持、已在支持中，或已转介。", class = "internal" }
acted_on_share_lower  = { unit = "share", about = "Lower end of its 95 % interval (Wilson).", about_zh = "其95%区间的下限（Wilson）。", class = "internal" }
acted_on_share_upper  = { unit = "share", about = "Upper end of its 95 % interval (Wilson).", about_zh = "其95%区间的上限（Wilson）。", class = "internal" }
proposal              = { about = "retire where fewer than one in twenty of at least 200 closed offers was of use; a person decides.", about_zh = "200件以上已结案提示中有用的不足二十分之一，为 retire（建议停用）；由人决定。", class = "internal" }
---*/

-- Each file that found something, on whichever date, has its part in what came of it.
WITH named AS (
    SELECT
        warning_id,
        CASE WHEN severity IS NULL THEN 1 ELSE 0 END AS is_finding,
        unnest(string_to_array(rules, ',')) AS rule
    FROM warning_student
    WHERE as_of_on <= $as_of
),

part AS (
    SELECT warning_id, rule, max(is_finding) AS is_finding
    FROM named
    GROUP BY warning_id, rule
),

closing AS (
    SELECT
        stg_case_offer.warning_id,
        max(CASE WHEN stg_case_state.reason = 'quiet_for_long' THEN 1 ELSE 0 END) AS is_expired,
        min(stg_case_state.outcome) AS outcome
    FROM stg_case_offer
    INNER JOIN stg_case_state ON stg_case_state.thread_key = stg_case_offer.thread_key AND stg_case_state.step = 'closed'
    GROUP BY stg_case_offer.warning_id
),

counted AS (
    SELECT
        part.rule,
        max(part.is_finding) AS is_finding,
        count(*) AS offered_n,
        sum(CASE WHEN closing.is_expired = 0 THEN 1 ELSE 0 END) AS closed_n,
        sum(CASE WHEN closing.is_expired = 1 THEN 1 ELSE 0 END) AS expired_n,
        sum(CASE WHEN closing.is_expired = 0 AND closing.outcome = 'needed_support' THEN 1 ELSE 0 END) AS needed_support_n,
        sum(CASE WHEN closing.is_expired = 0 AND closing.outcome = 'already_supported' THEN 1 ELSE 0 END) AS already_supported_n,
        sum(CASE WHEN closing.is_expired = 0 AND closing.outcome = 'excluded_leave' THEN 1 ELSE 0 END) AS excluded_leave_n,
        sum(CASE WHEN closing.is_expired = 0 AND closing.outcome = 'excluded_device' THEN 1 ELSE 0 END) AS excluded_device_n,
        sum(CASE WHEN closing.is_expired = 0 AND closing.outcome = 'no_support_needed' THEN 1 ELSE 0 END) AS no_support_needed_n,
        sum(CASE WHEN closing.is_expired = 0 AND closing.outcome = 'not_reachable' THEN 1 ELSE 0 END) AS not_reachable_n,
        sum(CASE WHEN closing.is_expired = 0 AND closing.outcome = 'referred' THEN 1 ELSE 0 END) AS referred_n
    FROM part
    LEFT JOIN closing ON closing.warning_id = part.warning_id
    GROUP BY part.rule
),

used AS (
    SELECT
        *,
        needed_support_n + already_supported_n + referred_n AS acted_on_n,
        CAST(needed_support_n + already_supported_n + referred_n AS DOUBLE) AS x,
        CAST(nullif(closed_n, 0) AS DOUBLE) AS n
    FROM counted
)

SELECT
    rule,
    is_finding = 1 AS is_finding,
    CASE WHEN offered_n >= ${k_sensitive} THEN offered_n END AS offered_n,
    CASE WHEN closed_n >= ${k_sensitive} THEN closed_n END AS closed_n,
    CASE WHEN expired_n >= ${k_sensitive} THEN expired_n END AS expired_n,
    CASE WHEN needed_support_n >= ${k_sensitive} THEN needed_support_n END AS needed_support_n,
    CASE WHEN already_supported_n >= ${k_sensitive} THEN already_supported_n END AS already_supported_n,
    CASE WHEN excluded_leave_n >= ${k_sensitive} THEN excluded_leave_n END AS excluded_leave_n,
    CASE WHEN excluded_device_n >= ${k_sensitive} THEN excluded_device_n END AS excluded_device_n,
    CASE WHEN no_support_needed_n >= ${k_sensitive} THEN no_support_needed_n END AS no_support_needed_n,
    CASE WHEN not_reachable_n >= ${k_sensitive} THEN not_reachable_n END AS not_reachable_n,
    CASE WHEN referred_n >= ${k_sensitive} THEN referred_n END AS referred_n,
    CASE WHEN acted_on_n >= ${k_sensitive} THEN x / n END AS acted_on_share,
    CASE WHEN acted_on_n >= ${k_sensitive} THEN (x + ${z} * ${z} / 2 - ${z} * sqrt(x * (n - x) / n + ${z} * ${z} / 4)) / (n + ${z} * ${z}) END AS acted_on_share_lower,
    CASE WHEN acted_on_n >= ${k_sensitive} THEN (x + ${z} * ${z} / 2 + ${z} * sqrt(x * (n - x) / n + ${z} * ${z} / 4)) / (n + ${z} * ${z}) END AS acted_on_share_upper,
    CASE WHEN is_finding = 0 AND closed_n >= ${closed_min} AND acted_on_n * ${useful_min} < closed_n THEN 'retire' END AS proposal
FROM used

/*---
kind      = "rule"
about     = "Two or more nights of the last fourteen without return, evidence or leave (未归)."
about_zh  = "最近十四夜中有两夜或以上未见回寝、没有校内记录、也没有请假。"
title_zh  = "近两周有夜间未归"
title_en  = "Nights away in the last two weeks"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "return"
thread    = "life_aid"
severity  = 1
unit      = "count"
measure   = "overnight_absence_n"
caveat_zh = "只说明闸机与校园卡在这些夜晚没有记录到返回，可能有未登记的请假、尾随进门或设备漏读；不说明原因，也不是违纪认定。"
caveat_en = "It only says that gates and cards saw no return on these nights; unregistered leave, tailgating or a missed reading are possible. It gives no reason and finds no breach of rules."
first_step_zh = "先看有没有漏登记的请假或实习，再找时间和学生聊聊近来住得怎么样，不问“去了哪里”。"
first_step_en = "Look for a leave or internship that was not entered; then find a moment to ask how life in the dormitory is, not where the student was."

[settings]
nights_min = 2
---*/

WITH away AS (
    SELECT
        student_key,
        sum(CASE WHEN is_absent THEN 1 ELSE 0 END) AS nights,
        min(CASE WHEN is_absent THEN occurred_on END) AS since_on,
        sum(CASE WHEN is_gate_seen THEN 1 ELSE 0 END) AS n,
        CAST(sum(gate_minutes) AS DECIMAL(18, 6)) / nullif(sum(gate_minutes_due), 0) AS cov
    FROM int_night
    WHERE occurred_on >= $as_of - INTERVAL '14' DAY
    GROUP BY student_key
)

SELECT
    student_key,
    since_on,
    0 AS baseline,
    nights AS now_value,
    n,
    cov,
    concat('近14天有', CAST(nights AS VARCHAR), '晚未见返回宿舍的记录，当晚22点后也没有校内记录，且没有请假（最早一晚：', CAST(since_on AS VARCHAR), '）。') AS reason_zh,
    concat('No return to the dormitory and no evidence on campus after 22:00 on ', CAST(nights AS VARCHAR), ' of 14 nights, without leave; the first was ', CAST(since_on AS VARCHAR), '.') AS reason_en,
    '' AS explanations,
    NULL AS last_seen_at,
    NULL AS last_seen_source
FROM away
WHERE nights >= ${nights_min}

/*---
kind      = "rule"
about     = "The first task that a tutor marks was due in the last four weeks and has not come (首次任务缺失)."
title_zh  = "首次任务尚未提交"
title_en  = "First task not submitted yet"
owner     = "registry"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "assessment"
thread    = "academic"
severity  = 1
unit      = "count"
measure   = "first_task_missing"
caveat_zh = "只说明系统中没有首次任务的提交记录，可能已获延期、提交未登记或另有安排；不说明原因，也不预示结果，只提示可以问问是否需要帮助。"
caveat_en = "It only says that the system has no submission of the first task; an extension, a submission not yet entered or another arrangement is possible. It gives no reason and foretells nothing; it suggests asking whether help is wanted."

[settings]
grace_days = 2       # after the deadline: many submissions come a day late
open_days  = 28      # after the deadline; later the task is no news
---*/

SELECT
    student_key,
    due_on AS since_on,
    1 AS baseline,
    0 AS now_value,
    1 AS n,
    1.0 AS cov,
    concat('首次任务截止于', CAST(due_on AS VARCHAR), '，目前没有提交记录。') AS reason_zh,
    concat('The first task was due on ', CAST(due_on AS VARCHAR), '; there is no submission so far.') AS reason_en,
    '' AS explanations,
    NULL AS last_seen_at,
    NULL AS last_seen_source
FROM fct_assessment
WHERE is_current
    AND is_first_task
    AND NOT is_submitted
    AND arrow_cast($as_of, 'Int32') - arrow_cast(due_on, 'Int32') BETWEEN ${grace_days} AND ${open_days}

/*---
kind      = "trend"
about     = "Share of due classes that were attended, by week; leave counts as not due (到课)."
about_zh  = "按周，应到课次中到课的比例；请假的不算应到。"
title_zh  = "到课率"
title_en  = "Class attendance"
owner     = "academic_affairs_office"
subject   = "student_key"
purpose   = ["trend_warning"]
channel   = "class"
thread    = "academic"
direction = "falling"
unit      = "share"
n_min     = 4
cov_min   = 0.0
noise     = "events"
class     = "trace"
caveat_zh = "考勤可能漏记；以任课教师核实为准。"
caveat_en = "Attendance may be recorded wrongly: the teacher's word holds."
first_step_zh = "先问任课教师是否调课或改了签到方式，再问学生哪门课跟得吃力，需要什么帮助。"
first_step_en = "Ask the teacher whether classes or roll-calls changed; then ask the student which course is hard to follow and what would help."
---*/

SELECT
    student_key,
    (arrow_cast($as_of, 'Int32') - 1 - arrow_cast(occurred_on, 'Int32')) / 7 AS week_no,
    CAST(sum(CASE WHEN state IN ('present', 'late') THEN 1 ELSE 0 END) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    1.0 AS cov
FROM stg_class_attendance
WHERE occurred_on >= $as_of - INTERVAL '70' DAY AND occurred_on < $as_of AND state <> 'leave'
GROUP BY student_key, week_no

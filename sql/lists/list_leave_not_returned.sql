/*---
kind     = "list"
about    = "Leaves that ended a day or more before the newest entry of the leave register, without a report of the return (逾期未销假)."
about_zh = "假期已满一天以上、请假数据中仍未销假的学生；请假数据尚未更新到的日子不列入。"
title_zh = "逾期未销假"
title_en = "Leaves not reported back"
owner    = "student_affairs_office"
grain    = ["leave_id"]
subject  = "student_key"
purpose  = ["service"]

[settings]
grace = "24 hours"   # to report back in, and how much older than its arrival an export may be

[columns]
leave_id      = { title_zh = "请假单号", title_en = "Leave" }
leave_kind    = { title_zh = "类型", title_en = "Kind" }
ends_at       = { title_zh = "应返时间", title_en = "Due back" }
overdue_h     = { about = "Hours since the leave ended.", about_zh = "假期结束以来的小时数。", title_zh = "已逾期（小时）", title_en = "Hours over" }
seen_since    = { about = "Whether anything was seen of the student on campus since the leave ended.", about_zh = "假期结束以来是否有校内记录。", title_zh = "到期后有校内记录", title_en = "Seen since" }
college_name  = { title_zh = "学院", title_en = "College" }
class         = { title_zh = "班级", title_en = "Class" }
building_name = { title_zh = "楼栋", title_en = "Building" }
room_id       = { title_zh = "房间", title_en = "Room" }
---*/

-- A return that no export could have told of yet is none that is missing: the register comes by the day or by the week.
WITH told AS (
    SELECT max(known_at) AS told_at
    FROM stg_leave_record
),

open AS (
    SELECT
        leave_id,
        student_key,
        leave_kind,
        ends_at,
        CAST((date_part('epoch', day_start($as_of)) - date_part('epoch', ends_at)) AS BIGINT) / 3600 AS overdue_h
    FROM stg_leave_record
    CROSS JOIN told
    WHERE ends_at < told.told_at - CAST(${grace} AS INTERVAL)
        AND ends_at < day_start($as_of) AND ends_at >= day_start(CAST($as_of - INTERVAL '60' DAY AS DATE))
        AND (returned_at IS NULL OR returned_at >= day_start($as_of))
),

seen AS (
    SELECT open.leave_id, max(int_campus_day.last_seen_at) AS last_seen_at
    FROM open
    INNER JOIN int_campus_day ON int_campus_day.student_key = open.student_key
    GROUP BY open.leave_id
)

SELECT
    open.leave_id,
    open.student_key,
    open.leave_kind,
    open.ends_at,
    open.overdue_h,
    coalesce(seen.last_seen_at > open.ends_at, FALSE) AS seen_since,
    dim_student.college_name,
    dim_student.class,
    dim_student.building_name,
    dim_student.room_id
FROM open
INNER JOIN dim_student ON dim_student.student_key = open.student_key AND dim_student.as_of_on = $as_of
LEFT JOIN seen ON seen.leave_id = open.leave_id
WHERE dim_student.is_enrolled

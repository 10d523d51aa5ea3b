/*---
kind         = "table"
about        = "What a member of staff did on a day, put together from shifts, visits, talks, receptions, lectures and other acts, and requests: the work log that nobody has to type (工作日志)."
owner        = "student_affairs_office"
about_zh     = "工作日志：一位教职工一天做了什么，由值班、走访、谈话、接待、诉求等汇成，无需任何人填写。"
materialized = "whole"
grain        = ["staff_key", "occurred_on"]
purpose      = ["duty", "evaluation"]

[columns]
staff_key        = { about = "Member of staff, pseudonymous.", about_zh = "教职工，以假名表示。", class = "personal" }
occurred_on      = { about = "Campus day.", about_zh = "校园日。", class = "internal" }
shift_minutes    = { unit = "minutes", about = "On shift in a building or at a window.", about_zh = "在楼栋或窗口值班的时间。", class = "personal" }
room_n           = { about = "Rooms visited.", about_zh = "走访的房间数。", class = "personal" }
resident_n       = { about = "Residents seen in them; a visited room is not its residents seen.", about_zh = "在房间里见到的住宿生数；走访了房间不等于见到了住的人。", class = "personal" }
visit_minutes    = { unit = "minutes", about = "Time in rooms.", about_zh = "在房间里的时间。", class = "personal" }
talk_n           = { about = "Talks, a meeting of a group counting once.", about_zh = "谈话次数，与一组人的谈话算一次。", class = "personal" }
talk_student_n   = { about = "Students talked with.", about_zh = "谈话涉及的学生数。", class = "personal" }
talk_minutes     = { unit = "minutes", about = "Time in talks.", about_zh = "谈话的时间。", class = "personal" }
reception_minutes = { unit = "minutes", about = "Present at a reception day.", about_zh = "参加接待日的分钟数。", class = "personal" }
act_n            = { about = "Lectures, panels, group sessions and other acts.", about_zh = "讲座、座谈、团体活动和其他履职的次数。", class = "personal" }
act_student_n    = { about = "How many took part in them.", about_zh = "参加其中的人数。", class = "personal" }
act_minutes      = { unit = "minutes", about = "Time in them.", about_zh = "用于其中的分钟数。", class = "personal" }
ticket_step_n    = { about = "Steps taken in requests.", about_zh = "办理诉求的步骤数。", class = "personal" }
---*/

WITH talk AS (
    SELECT staff_key, occurred_on, contact_id, count(DISTINCT student_key) AS student_n, max(minutes) AS minutes
    FROM stg_contact_record
    GROUP BY staff_key, occurred_on, contact_id
),

done AS (
    SELECT staff_key, occurred_on,
        CAST(date_part('epoch', ends_at) - date_part('epoch', begins_at) AS BIGINT) / 60 AS shift_minutes,
        0 AS room_n, 0 AS resident_n, 0 AS visit_minutes, 0 AS talk_n, 0 AS talk_student_n, 0 AS talk_minutes,
        0 AS reception_minutes, 0 AS act_n, 0 AS act_student_n, 0 AS act_minutes, 0 AS ticket_step_n
    FROM stg_duty_shift

    UNION ALL

    SELECT staff_key, occurred_on, 0, 1, coalesce(seen_n, 0), coalesce(minutes, 0), 0, 0, 0, 0, 0, 0, 0, 0
    FROM stg_room_visit

    UNION ALL

    SELECT staff_key, occurred_on, 0, 0, 0, 0, 1, student_n, coalesce(minutes, 0), 0, 0, 0, 0, 0
    FROM talk

    UNION ALL

    SELECT staff_key, occurred_on, 0, 0, 0, 0, 0, 0, 0,
        CAST(date_part('epoch', ends_at) - date_part('epoch', begins_at) AS BIGINT) / 60, 0, 0, 0, 0
    FROM stg_reception_session

    UNION ALL

    SELECT staff_key, occurred_on, 0, 0, 0, 0, 0, 0, 0, 0, 1, coalesce(participant_n, 0), coalesce(minutes, 0), 0
    FROM stg_duty_act

    UNION ALL

    SELECT handler_key, occurred_on, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
    FROM stg_ticket_event
    WHERE handler_key IS NOT NULL
)

SELECT
    staff_key,
    occurred_on,
    sum(shift_minutes) AS shift_minutes,
    sum(room_n) AS room_n,
    sum(resident_n) AS resident_n,
    sum(visit_minutes) AS visit_minutes,
    sum(talk_n) AS talk_n,
    sum(talk_student_n) AS talk_student_n,
    sum(talk_minutes) AS talk_minutes,
    sum(reception_minutes) AS reception_minutes,
    sum(act_n) AS act_n,
    sum(act_student_n) AS act_student_n,
    sum(act_minutes) AS act_minutes,
    sum(ticket_step_n) AS ticket_step_n
FROM done
WHERE staff_key IS NOT NULL
GROUP BY staff_key, occurred_on

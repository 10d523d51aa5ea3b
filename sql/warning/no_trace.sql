/*---
kind      = "rule"
about     = "No evidence on any channel, of devices or of people who called the roll or looked into the room, for longer than the student's own past makes likely (数据无记录): a finding for a safety check, never a level."
title_zh  = "数据无记录，请安全核实"
title_en  = "No trace in the data: please check that all is well"
about_zh  = "任何渠道都没有该生的记录，且时间比本人以往可能的更长：这是请做安全核实的发现，从不分级。"
owner     = "student_affairs_office"
subject   = "student_key"
purpose   = ["public_safety"]
channel   = "any"
thread    = "safety"
unit      = "hour"
measure   = "silence_h"
caveat_zh = "数据无记录不等于失联：可能在校外、用现金或手机支付、随他人进出。请先联系本人，再按安全核实步骤进行。"
caveat_en = "No trace is not lost contact: the student may be off campus, pay by other means, or walk in behind others. Reach the student first, then follow the steps of the safety check."
first_step_zh = "先打电话给本人；打不通，再按安全核实的步骤逐级进行，每一步留下时间和结果。"
first_step_en = "Ring the student first; if there is no answer, go on with the steps of the safety check, and note time and result of each."

[settings]
silence_min  = 36        # hours, less those of an event that kept the campus or the building from its usual day
gap_share    = 0.05      # of the student's own gaps between days with evidence may be as long
kind_gaps    = 19        # gaps of the same kind of day that make a share of one in twenty possible
---*/

WITH silent AS (
    SELECT
        student_key,
        max(CASE WHEN measure = 'silence_h' THEN value END) AS silence_h,
        max(CASE WHEN measure = 'silence_h' THEN n END) AS n,
        max(CASE WHEN measure = 'silence_h' THEN cov END) AS cov,
        -- How likely such a gap is on days of the same kind; weekends and holidays have gaps of their own.
        max(CASE WHEN measure = 'silence_surprise' AND n >= ${kind_gaps} THEN exp(-value) END) AS kind_p
    FROM feat_measure
    -- Where no device reports, silence cannot be told from a feed that is broken, or from a school that has cards only.
    CROSS JOIN (SELECT days_n FROM int_coverage) AS device
    WHERE as_of_on = $as_of AND measure IN ('silence_h', 'silence_surprise') AND device.days_n > 0
    GROUP BY student_key
    HAVING max(CASE WHEN measure = 'silence_h' THEN value END) >= ${silence_min}
),

-- Of the few who are silent only: the days of all others would be sorted in vain, once for every part below that reads this.
day_seen AS (
    SELECT
        silent.student_key,
        silent.silence_h,
        silent.n,
        silent.cov,
        silent.kind_p,
        int_trace_day.last_seen_at,
        int_trace_day.last_seen_source,
        -- From the last evidence of a day to the first of the next, as the surprise of a silence has it.
        date_part('epoch', lead(int_trace_day.first_seen_at) OVER (PARTITION BY silent.student_key ORDER BY int_trace_day.occurred_on))
            - date_part('epoch', int_trace_day.last_seen_at) AS gap_s
    FROM silent
    INNER JOIN int_trace_day ON int_trace_day.student_key = silent.student_key
),

own_gap AS (
    SELECT
        student_key,
        silence_h,
        n,
        cov,
        max(last_seen_at) AS last_seen_at,
        first_value(last_seen_source ORDER BY last_seen_at DESC, last_seen_source) AS last_seen_source,
        -- Unusual for days of the same kind, or for all of the student's days: a kind alone has few gaps, and all days hide what a
        -- weekend explains. One is added on both sides: a short history never makes a gap impossible.
        least(
            coalesce(max(kind_p), 1.0),
            CAST(1 + sum(CASE WHEN gap_s >= 3600 * silence_h THEN 1 ELSE 0 END) AS DOUBLE) / (1 + count(gap_s))
        ) AS gap_p
    FROM day_seen
    GROUP BY student_key, silence_h, n, cov
),

-- One part after the other, each reading the one before: a part that two others read is worked out twice.
on_leave AS (
    SELECT
        own_gap.student_key,
        own_gap.silence_h,
        own_gap.n,
        own_gap.cov,
        own_gap.last_seen_at,
        own_gap.last_seen_source,
        own_gap.gap_p,
        count(stg_leave_record.student_key) AS leave_n
    FROM own_gap
    LEFT JOIN stg_leave_record
        ON stg_leave_record.student_key = own_gap.student_key
        AND stg_leave_record.begins_at < day_start($as_of) AND stg_leave_record.ends_at > own_gap.last_seen_at
        AND (stg_leave_record.returned_at IS NULL OR stg_leave_record.returned_at > own_gap.last_seen_at)
    WHERE own_gap.gap_p <= ${gap_share}
    GROUP BY own_gap.student_key, own_gap.silence_h, own_gap.n, own_gap.cov, own_gap.last_seen_at, own_gap.last_seen_source, own_gap.gap_p
),

-- An internship is known to be elsewhere: it becomes a contact that is due, list_internship_contact.
placed AS (
    SELECT
        on_leave.student_key,
        on_leave.silence_h,
        on_leave.n,
        on_leave.cov,
        on_leave.last_seen_at,
        on_leave.last_seen_source,
        on_leave.gap_p,
        on_leave.leave_n,
        count(stg_internship_placement.student_key) AS placement_n
    FROM on_leave
    LEFT JOIN stg_internship_placement
        ON stg_internship_placement.student_key = on_leave.student_key
        AND stg_internship_placement.begins_on < $as_of AND stg_internship_placement.ends_on >= campus_on(on_leave.last_seen_at)
    GROUP BY on_leave.student_key, on_leave.silence_h, on_leave.n, on_leave.cov, on_leave.last_seen_at, on_leave.last_seen_source, on_leave.gap_p,
        on_leave.leave_n
),

-- Hours of the silence that storms, cuts, closures and large events of the campus or the building explain.
kept AS (
    SELECT
        placed.student_key,
        placed.silence_h,
        placed.n,
        placed.cov,
        placed.last_seen_at,
        placed.last_seen_source,
        placed.gap_p,
        placed.leave_n,
        placed.placement_n,
        dim_student.building_id,
        -- Without an event the least and the greatest of what is left would be the whole silence.
        sum(CASE WHEN stg_campus_event.begins_at IS NOT NULL
            THEN CAST(greatest(0, date_part('epoch', least(stg_campus_event.ends_at, day_start($as_of)))
                - date_part('epoch', greatest(stg_campus_event.begins_at, placed.last_seen_at))) AS BIGINT) END) / 3600 AS event_h
    FROM placed
    INNER JOIN dim_student ON dim_student.student_key = placed.student_key AND dim_student.as_of_on = $as_of
    LEFT JOIN stg_campus_event
        ON coalesce(stg_campus_event.campus, dim_student.campus, '') = coalesce(dim_student.campus, '')
        AND coalesce(stg_campus_event.building_id, dim_student.building_id, '') = coalesce(dim_student.building_id, '')
        AND stg_campus_event.begins_at < day_start($as_of) AND stg_campus_event.ends_at > placed.last_seen_at
    WHERE dim_student.is_enrolled
    GROUP BY placed.student_key, placed.silence_h, placed.n, placed.cov, placed.last_seen_at, placed.last_seen_source, placed.gap_p,
        placed.leave_n, placed.placement_n, dim_student.building_id
),

last_status AS (
    SELECT student_key, card_status, row_number() OVER (PARTITION BY student_key ORDER BY occurred_at DESC, status_id DESC) AS place
    FROM stg_card_status
),

-- A day is explained if it is a holiday or vacation: most are away then.
free AS (
    SELECT count(*) AS days_n
    FROM stg_calendar_day
    WHERE date >= $as_of - INTERVAL '2' DAY AND date < $as_of AND kind IN ('holiday', 'vacation')
),

broken AS (
    SELECT stg_device.building_id
    FROM stg_device
    LEFT JOIN int_device_day ON int_device_day.device_id = stg_device.device_id AND int_device_day.occurred_on >= $as_of - INTERVAL '2' DAY
    WHERE stg_device.kind = 'dorm'
    GROUP BY stg_device.building_id
    HAVING sum(coalesce(int_device_day.alive_minutes, 0)) < 0.8 * 2880 * count(DISTINCT stg_device.device_id)
),

explained AS (
    SELECT
        kept.*,
        concat_ws(',',
            CASE WHEN kept.leave_n > 0 THEN 'leave' END,
            CASE WHEN kept.placement_n > 0 THEN 'internship' END,
            CASE WHEN kept.silence_h - coalesce(kept.event_h, 0) < ${silence_min} THEN 'campus_event' END,
            CASE WHEN free.days_n > 0 THEN 'holiday' END,
            CASE WHEN broken.building_id IS NOT NULL THEN 'device_outage' END,
            CASE WHEN last_status.card_status = 'lost' THEN 'lost_card' END) AS explanations
    FROM kept
    CROSS JOIN free
    LEFT JOIN last_status ON last_status.student_key = kept.student_key AND last_status.place = 1
    LEFT JOIN broken ON broken.building_id = kept.building_id
)

-- It is offered only if nothing explains it.
SELECT
    student_key,
    campus_on(last_seen_at) AS since_on,
    CAST(gap_p AS DOUBLE) AS baseline,
    CAST(silence_h AS DOUBLE) AS now_value,
    n,
    cov,
    concat('已', CAST(CAST(silence_h AS BIGINT) AS VARCHAR), '小时无校内记录（校园卡、门禁、图书馆均无，也未见已登记的课堂点名、查寝在寝、个别谈话或刷卡签到的活动）；未见请假、实习、假期、校园事件、设备故障或校园卡挂失可以说明。') AS reason_zh,
    concat('No record on campus for ', CAST(CAST(silence_h AS BIGINT) AS VARCHAR), ' hours (card, gates, library; no roll-call, night check, talk of two or activity by card is registered); no leave, internship, holiday, campus event, device fault or lost card explains it.') AS reason_en,
    explanations,
    last_seen_at,
    last_seen_source
FROM explained
WHERE explanations = ''

/*---
kind         = "table"
about        = "What the devices saw of one student on one campus day, as it was known (学生日汇总)."
about_zh     = "设备在某个校园日看到的一名学生的记录，以当时所知为准。"
owner        = "platform"
materialized = "student_day"
live         = true
grain        = ["student_key", "occurred_on"]
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

# How gates and terminals are named, and when dormitories close: another school puts its own file in this one's place.
[settings]
dorm_gate       = "G-N"
dorm_terminal   = "T-N"  # water and showers inside the dormitories
library_gate    = "G-L"
teaching_water  = "T-J"  # hot water in the teaching buildings
school_gate     = "G-S"
meal_gap        = "45 minutes"
closing_minute  = 1410   # 23:30, half an hour after the gates close, where the register of buildings says no other hour
library_closing = 1320   # 22:00
far_gap         = "2 minutes"  # within which nobody gets from one place's gate to another's
# Bands of the meals; meal_bands(minute) over a canteen's own payments says what they are at another school.
breakfast_from  = 300
breakfast_to    = 570
lunch_from      = 600
lunch_to        = 810
dinner_from     = 960
dinner_to       = 1200
low_balance_fen = 1000   # less than ten yuan left

[columns]
student_key     = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "personal" }
occurred_on     = { about = "Campus day.", about_zh = "校园日。", class = "trace" }
meal_n          = { about = "Meals: canteen purchases at least 45 minutes apart.", about_zh = "用餐次数：间隔至少45分钟的食堂消费。" }
canteen         = { about = "Canteen of the first meal from lunch on: second part of the name of its till.", about_zh = "午餐起第一餐所在食堂：其收款机名称的第二段。" }
breakfast_n     = { about = "Canteen purchases from 06:00 to 09:30.", about_zh = "06:00至09:30的食堂消费次数。" }
canteen_fen     = { unit = "fen", about = "Spent in canteens.", about_zh = "在食堂的消费。" }
spent_fen       = { unit = "fen", about = "Spent in all.", about_zh = "全部消费。" }
card_n          = { about = "Card transactions.", about_zh = "刷卡次数。" }
gate_n          = { about = "Passages through gates, without those by face.", about_zh = "通过门禁的次数，人脸通行不计。" }
library_in_n    = { about = "Entries into the library.", about_zh = "进入图书馆的次数。" }
library_minutes = { unit = "minutes", about = "Time in the library, from each entry to the next exit; an entry without exit counts until the next entry or closing.", about_zh = "在图书馆的时间，从每次进馆到下一次出馆；没有出馆的算到再次进馆或闭馆。" }
library_open_n  = { about = "Of the entries into the library those without exit, whose end is a guess.", about_zh = "进馆中没有出馆、结束时间为推定的次数。" }
face_card_n     = { about = "Passages by card or code within two minutes of one by face at another place: the card is with somebody else, or the face was taken for another's (人卡不符).", about_zh = "刷卡或扫码通行的前后两分钟内在另一处有人脸通行的次数：卡在别人手里，或人脸认成了别人。" }
night_n         = { about = "Events from 00:00 to 05:00, without those by face.", about_zh = "00:00至05:00的记录数，人脸通行不计。" }
event_n         = { about = "Events of all kinds, without those by face.", about_zh = "各类记录数，人脸通行不计。" }
evening_last_in_minute = { unit = "minutes", about = "Last entry into the dormitory after 20:00, not by face, minutes since 00:00 of the campus day's own date; beyond 1440 after midnight.", about_zh = "20:00之后最后一次进入宿舍（人脸通行不计），自校园日当日零点起的分钟数；午夜之后超过1440。" }
dorm_last_at    = { about = "Last passage of the dormitory gate, or use of a terminal inside the dormitory, before 23:30.", about_zh = "23:30之前最后一次通过宿舍门，或使用宿舍内终端的时间。" }
dorm_last_direction = { about = "Its direction; who used a terminal inside was in, however they came.", about_zh = "其方向；使用楼内终端的为在内，不论如何进来。" }
dorm_direction_2230 = { about = "Direction of the last passage before 22:30, for buildings whose register says when they close.", about_zh = "22:30 前最后一次通行的方向，用于登记册说明了关门时间的楼栋。" }
dorm_direction_2300 = { about = "Direction of the last passage before 23:00, for buildings whose register says when they close.", about_zh = "23:00 前最后一次通行的方向，用于登记册说明了关门时间的楼栋。" }
dorm_direction_2330 = { about = "Direction of the last passage before 23:30, for buildings whose register says when they close.", about_zh = "23:30 前最后一次通行的方向，用于登记册说明了关门时间的楼栋。" }
dorm_direction_0000 = { about = "Direction of the last passage before 00:00, for buildings whose register says when they close.", about_zh = "00:00 前最后一次通行的方向，用于登记册说明了关门时间的楼栋。" }
dorm_direction_0030 = { about = "Direction of the last passage before 00:30, for buildings whose register says when they close.", about_zh = "00:30 前最后一次通行的方向，用于登记册说明了关门时间的楼栋。" }
dorm_direction_end = { about = "Direction of the last passage of the whole campus day, for buildings whose register says when they close.", about_zh = "整个校园日最后一次通行的方向，用于登记册说明了关门时间的楼栋。" }
dorm_first_direction = { about = "Direction of the day's first passage of the dormitory gate: who goes out first had been in.", about_zh = "当天第一次通过宿舍门的方向：先出门的，此前在内。" }
late_evidence_n = { about = "Events on campus from 22:00 to the end of the campus day, by any way of passage; going out of the dormitory or the school is none, and whoever left the school after them has none.", about_zh = "22:00至校园日结束的校内记录数，任何通行方式都算；出宿舍门、出校门不算，其后又出了校门的记为0。" }
school_last_direction = { about = "Direction of the last passage of the school gate.", about_zh = "最后一次通过校门的方向。" }
breakfast_minute = { unit = "minute_of_day", about = "First canteen purchase within the band of breakfast.", about_zh = "早餐时段内第一次食堂消费。" }
lunch_minute    = { unit = "minute_of_day", about = "First canteen purchase within the band of lunch.", about_zh = "午餐时段内第一次食堂消费。" }
dinner_minute   = { unit = "minute_of_day", about = "First canteen purchase within the band of dinner.", about_zh = "晚餐时段内第一次食堂消费。" }
shower_minute   = { unit = "minute_of_day", about = "First shower; beyond 1440 after midnight.", about_zh = "第一次洗浴；午夜之后超过1440。" }
first_minute    = { unit = "minute_of_day", about = "First event of the campus day, without those by face; beyond 1440 after midnight.", about_zh = "校园日第一条记录，人脸通行不计；午夜之后超过1440。" }
study_water_n   = { about = "Hot water fetched in the teaching buildings.", about_zh = "在教学楼打热水的次数。" }
balance_fen     = { unit = "fen", about = "Left on the card after the last payment of the day.", about_zh = "当天最后一次付款后的卡内余额。" }
is_low_balance  = { about = "Whether less than ten yuan were left after some payment.", about_zh = "是否有某次付款后余额不足十元。" }
dorm_passages   = { about = "Passages of the dormitory gate, minutes since 04:00 with + for in and - for out, without those by face.", about_zh = "宿舍门禁的各次通行，以 04:00 起的分钟数表示，+ 为进、- 为出；不含人脸通行。" }
double_in_n     = { about = "Entries into the dormitory right after an entry, without those by face (闸机异常).", about_zh = "宿舍门禁进入之后紧接着又是进入的次数，不含人脸通行；多为闸机的问题。" }
first_seen_at   = { about = "First event of all, by any way of passage.", about_zh = "当天最早的一条记录，任何通行方式都算。" }
last_seen_at    = { about = "Last event of all, by any way of passage.", about_zh = "当天最后的一条记录，任何通行方式都算。" }
last_seen_source = { about = "Source of that event: card or gate.", about_zh = "该记录的来源：card 校园卡或 gate 门禁。" }
---*/

-- Windows run over 64 groups of students and compare neighbours: one window a student and day would be a million windows.
WITH canteen AS (
    SELECT
        student_key,
        occurred_on,
        occurred_at,
        lag(student_key) OVER own AS student_before,
        lag(occurred_on) OVER own AS day_before,
        lag(occurred_at) OVER own AS at_before
    FROM stg_card_txn
    WHERE merchant_kind = 'canteen'
    WINDOW own AS (PARTITION BY student_key % 64 ORDER BY student_key, occurred_at, txn_id)
),

meal_day AS (
    SELECT
        student_key,
        occurred_on,
        sum(CASE WHEN student_before = student_key AND day_before = occurred_on
            AND occurred_at - at_before <= CAST(${meal_gap} AS INTERVAL) THEN 0 ELSE 1 END) AS meal_n
    FROM canteen
    GROUP BY student_key, occurred_on
),

card_day AS (
    SELECT
        student_key,
        occurred_on,
        sum(CASE WHEN merchant_kind = 'canteen' AND minute_of_day BETWEEN 360 AND 569 THEN 1 ELSE 0 END) AS breakfast_n,
        sum(CASE WHEN merchant_kind = 'canteen' THEN amount_fen ELSE 0 END) AS canteen_fen,
        sum(amount_fen) AS spent_fen,
        -- Minute and canteen in one word, so that the earliest keeps its place.
        min(CASE WHEN merchant_kind = 'canteen' AND minute_of_day >= ${lunch_from}
            THEN concat(lpad(CAST(minute_of_day AS VARCHAR), 4, '0'), '-', split_part(terminal_id, '-', 2)) END) AS canteen,
        count(*) AS card_n,
        sum(CASE WHEN minute_of_day < 300 THEN 1 ELSE 0 END) AS night_n,
        sum(CASE WHEN minute_of_day >= 1320 OR minute_of_day < 240 THEN 1 ELSE 0 END) AS late_n,
        max(CASE WHEN minute_of_day >= 1320 OR minute_of_day < 240 THEN CAST(occurred_at AS BIGINT) END) AS late_last,
        max(CASE WHEN starts_with(terminal_id, ${dorm_terminal}) AND minute_of_day >= 240 AND minute_of_day < ${closing_minute}
            THEN 2 * CAST(occurred_at AS BIGINT) + 1 END) AS dorm_last,
        max(CASE WHEN starts_with(terminal_id, ${dorm_terminal}) AND minute_of_day >= 240 AND minute_of_day < 1350 THEN 2 * CAST(occurred_at AS BIGINT) + 1 END) AS dorm_2230,
        max(CASE WHEN starts_with(terminal_id, ${dorm_terminal}) AND minute_of_day >= 240 AND minute_of_day < 1380 THEN 2 * CAST(occurred_at AS BIGINT) + 1 END) AS dorm_2300,
        max(CASE WHEN starts_with(terminal_id, ${dorm_terminal}) AND minute_of_day >= 240 AND minute_of_day < 1410 THEN 2 * CAST(occurred_at AS BIGINT) + 1 END) AS dorm_2330,
        max(CASE WHEN starts_with(terminal_id, ${dorm_terminal}) AND minute_of_day >= 240 THEN 2 * CAST(occurred_at AS BIGINT) + 1 END) AS dorm_0000,
        max(CASE WHEN starts_with(terminal_id, ${dorm_terminal}) AND (minute_of_day >= 240 OR minute_of_day < 30) THEN 2 * CAST(occurred_at AS BIGINT) + 1 END) AS dorm_0030,
        max(CASE WHEN starts_with(terminal_id, ${dorm_terminal}) THEN 2 * CAST(occurred_at AS BIGINT) + 1 END) AS dorm_end,
        max(occurred_at) AS last_at,
        min(occurred_at) AS first_at,
        min(CASE WHEN minute_of_day < 240 THEN minute_of_day + 1440 ELSE minute_of_day END) AS first_minute,
        min(CASE WHEN merchant_kind = 'canteen' AND minute_of_day >= ${breakfast_from} AND minute_of_day < ${breakfast_to} THEN minute_of_day END) AS breakfast_minute,
        min(CASE WHEN merchant_kind = 'canteen' AND minute_of_day >= ${lunch_from} AND minute_of_day < ${lunch_to} THEN minute_of_day END) AS lunch_minute,
        min(CASE WHEN merchant_kind = 'canteen' AND minute_of_day >= ${dinner_from} AND minute_of_day < ${dinner_to} THEN minute_of_day END) AS dinner_minute,
        min(CASE WHEN merchant_kind = 'shower' THEN CASE WHEN minute_of_day < 240 THEN minute_of_day + 1440 ELSE minute_of_day END END) AS shower_minute,
        sum(CASE WHEN merchant_kind = 'water' AND starts_with(terminal_id, ${teaching_water}) THEN 1 ELSE 0 END) AS study_water_n,
        max(CASE WHEN balance_fen < ${low_balance_fen} THEN 1 ELSE 0 END) AS low_n,
        -- The balance after the last payment: instant first, so that the greatest is the latest; the number of the payment settles ties.
        first_value(balance_fen ORDER BY occurred_at DESC, txn_id DESC) AS balance_fen
    FROM stg_card_txn
    GROUP BY student_key, occurred_on
),

passage AS (
    SELECT
        student_key,
        occurred_on,
        occurred_at,
        direction,
        -- The kind of place stands in the gate's name; the register of devices changes and may not be joined by day. Laboratories and
        -- all other gates stand on campus: whoever passes one is there, whichever way.
        CASE WHEN starts_with(device_id, ${dorm_gate}) THEN 'dorm'
            WHEN starts_with(device_id, ${library_gate}) THEN 'library'
            WHEN starts_with(device_id, ${school_gate}) THEN 'school' ELSE 'other' END AS place,
        method = 'face' AS is_face,
        CASE WHEN minute_of_day < 240 THEN minute_of_day + 1440 ELSE minute_of_day END AS minute,
        device_id,
        event_seq
    FROM stg_gate_event
),

-- Library stays pair an entry with the next passage; the other gates need no pairing.
stay AS (
    SELECT
        student_key,
        occurred_on,
        direction,
        occurred_at,
        minute,
        lead(student_key) OVER own AS next_student,
        lead(occurred_on) OVER own AS next_day,
        lead(occurred_at) OVER own AS next_at,
        lead(direction) OVER own AS next_direction
    FROM passage
    WHERE place = 'library' AND NOT is_face
    WINDOW own AS (PARTITION BY student_key % 64 ORDER BY student_key, occurred_at, device_id, event_seq)
),

-- An entry whose exit nobody read ends at the next entry of the day or when the library closes, whichever is first, and is counted as open.
library_stay AS (
    SELECT
        student_key,
        occurred_on,
        direction,
        coalesce(next_direction = 'out' AND next_student = student_key AND next_day = occurred_on, FALSE) AS is_paired,
        CAST(date_part('epoch', next_at) - date_part('epoch', occurred_at) AS BIGINT) / 60 AS gap_minutes,
        coalesce(next_student = student_key AND next_day = occurred_on, FALSE) AS is_followed,
        greatest(0, ${library_closing} - minute) AS closing_minutes
    FROM stay
),

library_day AS (
    SELECT
        student_key,
        occurred_on,
        sum(CASE WHEN direction = 'in' THEN 1 ELSE 0 END) AS library_in_n,
        sum(CASE WHEN direction = 'in' AND NOT is_paired THEN 1 ELSE 0 END) AS library_open_n,
        sum(CASE WHEN direction <> 'in' THEN 0
            WHEN is_paired THEN gap_minutes
            WHEN is_followed THEN least(gap_minutes, closing_minutes)
            ELSE closing_minutes END) AS library_minutes
    FROM library_stay
    GROUP BY student_key, occurred_on
),

-- An entry right after an entry: somebody left behind another, or lent the card.
dorm_pair AS (
    SELECT
        student_key,
        occurred_on,
        direction,
        minute,
        lag(student_key) OVER own AS student_before,
        lag(occurred_on) OVER own AS day_before,
        lag(direction) OVER own AS direction_before
    FROM passage
    WHERE place = 'dorm' AND NOT is_face
    WINDOW own AS (PARTITION BY student_key % 64 ORDER BY student_key, occurred_at, device_id, event_seq)
),

dorm_day AS (
    SELECT
        student_key,
        occurred_on,
        day_passages(minute - 240, CASE WHEN direction = 'in' THEN 1 ELSE 0 END) AS dorm_passages,
        sum(CASE WHEN direction = 'in' AND direction_before = 'in' AND student_before = student_key AND day_before = occurred_on
            THEN 1 ELSE 0 END) AS double_in_n
    FROM dorm_pair
    GROUP BY student_key, occurred_on
),

-- Only who passed by face on that day can be in two places; most never do.
by_face AS (
    SELECT DISTINCT student_key, occurred_on
    FROM passage
    WHERE is_face
),

face_pair AS (
    SELECT
        passage.student_key,
        passage.occurred_on,
        passage.occurred_at,
        passage.is_face,
        split_part(passage.device_id, '-', 2) AS site,
        lag(passage.student_key) OVER own AS student_before,
        lag(passage.occurred_at) OVER own AS at_before,
        lag(passage.is_face) OVER own AS is_face_before,
        lag(split_part(passage.device_id, '-', 2)) OVER own AS site_before
    FROM passage
    INNER JOIN by_face ON by_face.student_key = passage.student_key AND by_face.occurred_on = passage.occurred_on
    WINDOW own AS (PARTITION BY passage.student_key % 64 ORDER BY passage.student_key, passage.occurred_at, passage.device_id, passage.event_seq)
),

face_day AS (
    SELECT
        student_key,
        occurred_on,
        sum(CASE WHEN student_before = student_key AND is_face <> is_face_before AND site <> site_before
            AND occurred_at - at_before <= CAST(${far_gap} AS INTERVAL) THEN 1 ELSE 0 END) AS face_card_n
    FROM face_pair
    GROUP BY student_key, occurred_on
),

gate_day AS (
    SELECT
        student_key,
        occurred_on,
        sum(CASE WHEN is_face THEN 0 ELSE 1 END) AS gate_n,
        sum(CASE WHEN (minute >= 1440 OR minute < 300) AND NOT is_face THEN 1 ELSE 0 END) AS night_n,
        max(CASE WHEN place = 'dorm' AND direction = 'in' AND minute >= 1200 AND NOT is_face THEN minute END) AS evening_last_in_minute,
        -- Instant and way in one number, so that the latest keeps its way; of two at the same instant the entry, the kinder reading.
        max(CASE WHEN place = 'dorm' AND minute < ${closing_minute}
            THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS dorm_last,
        max(CASE WHEN place = 'dorm' AND minute < 1350 THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS dorm_2230,
        max(CASE WHEN place = 'dorm' AND minute < 1380 THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS dorm_2300,
        max(CASE WHEN place = 'dorm' AND minute < 1410 THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS dorm_2330,
        max(CASE WHEN place = 'dorm' AND minute < 1440 THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS dorm_0000,
        max(CASE WHEN place = 'dorm' AND minute < 1470 THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS dorm_0030,
        max(CASE WHEN place = 'dorm' AND minute < 1680 THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS dorm_end,
        min(CASE WHEN place = 'dorm' THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'out' THEN 0 ELSE 1 END END) AS dorm_first,
        -- Who goes out of the dormitory or the school is not in.
        sum(CASE WHEN minute >= 1320 AND NOT (place IN ('dorm', 'school') AND direction = 'out') THEN 1 ELSE 0 END) AS late_n,
        max(CASE WHEN minute >= 1320 AND NOT (place IN ('dorm', 'school') AND direction = 'out') THEN CAST(occurred_at AS BIGINT) END) AS late_last,
        max(CASE WHEN place = 'school' THEN 2 * CAST(occurred_at AS BIGINT) + CASE WHEN direction = 'in' THEN 1 ELSE 0 END END) AS school_last,
        max(occurred_at) AS last_at,
        min(occurred_at) AS first_at,
        min(CASE WHEN NOT is_face THEN minute END) AS first_minute
    FROM passage
    GROUP BY student_key, occurred_on
)

SELECT
    coalesce(card_day.student_key, gate_day.student_key) AS student_key,
    coalesce(card_day.occurred_on, gate_day.occurred_on) AS occurred_on,
    coalesce(meal_day.meal_n, 0) AS meal_n,
    substr(card_day.canteen, 6) AS canteen,
    coalesce(card_day.breakfast_n, 0) AS breakfast_n,
    coalesce(card_day.canteen_fen, 0) AS canteen_fen,
    coalesce(card_day.spent_fen, 0) AS spent_fen,
    coalesce(card_day.card_n, 0) AS card_n,
    coalesce(gate_day.gate_n, 0) AS gate_n,
    coalesce(library_day.library_in_n, 0) AS library_in_n,
    coalesce(library_day.library_minutes, 0) AS library_minutes,
    coalesce(library_day.library_open_n, 0) AS library_open_n,
    coalesce(card_day.night_n, 0) + coalesce(gate_day.night_n, 0) AS night_n,
    coalesce(card_day.card_n, 0) + coalesce(gate_day.gate_n, 0) AS event_n,
    gate_day.evening_last_in_minute,
    arrow_cast(greatest(gate_day.dorm_last, card_day.dorm_last) / 2, 'Timestamp(Microsecond, Some("UTC"))') AS dorm_last_at,
    CASE greatest(gate_day.dorm_last, card_day.dorm_last) % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS dorm_last_direction,
    CASE greatest(gate_day.dorm_2230, card_day.dorm_2230) % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS dorm_direction_2230,
    CASE greatest(gate_day.dorm_2300, card_day.dorm_2300) % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS dorm_direction_2300,
    CASE greatest(gate_day.dorm_2330, card_day.dorm_2330) % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS dorm_direction_2330,
    CASE greatest(gate_day.dorm_0000, card_day.dorm_0000) % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS dorm_direction_0000,
    CASE greatest(gate_day.dorm_0030, card_day.dorm_0030) % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS dorm_direction_0030,
    CASE greatest(gate_day.dorm_end, card_day.dorm_end) % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS dorm_direction_end,
    CASE gate_day.dorm_first % 2 WHEN 0 THEN 'out' WHEN 1 THEN 'in' END AS dorm_first_direction,
    CASE WHEN gate_day.school_last % 2 = 0 AND gate_day.school_last > 2 * greatest(card_day.late_last, gate_day.late_last) THEN 0
        ELSE coalesce(card_day.late_n, 0) + coalesce(gate_day.late_n, 0) END AS late_evidence_n,
    CASE gate_day.school_last % 2 WHEN 1 THEN 'in' WHEN 0 THEN 'out' END AS school_last_direction,
    card_day.breakfast_minute,
    card_day.lunch_minute,
    card_day.dinner_minute,
    card_day.shower_minute,
    least(card_day.first_minute, gate_day.first_minute) AS first_minute,
    coalesce(card_day.study_water_n, 0) AS study_water_n,
    card_day.balance_fen,
    coalesce(card_day.low_n, 0) = 1 AS is_low_balance,
    dorm_day.dorm_passages,
    coalesce(dorm_day.double_in_n, 0) AS double_in_n,
    coalesce(face_day.face_card_n, 0) AS face_card_n,
    least(card_day.first_at, gate_day.first_at) AS first_seen_at,
    greatest(card_day.last_at, gate_day.last_at) AS last_seen_at,
    CASE WHEN gate_day.last_at IS NULL OR card_day.last_at > gate_day.last_at THEN 'card' ELSE 'gate' END AS last_seen_source
FROM card_day
-- A student may have been seen by cards only, or by gates only.
FULL OUTER JOIN gate_day ON gate_day.student_key = card_day.student_key AND gate_day.occurred_on = card_day.occurred_on
LEFT JOIN meal_day ON meal_day.student_key = card_day.student_key AND meal_day.occurred_on = card_day.occurred_on
LEFT JOIN dorm_day ON dorm_day.student_key = gate_day.student_key AND dorm_day.occurred_on = gate_day.occurred_on
LEFT JOIN library_day ON library_day.student_key = gate_day.student_key AND library_day.occurred_on = gate_day.occurred_on
LEFT JOIN face_day ON face_day.student_key = gate_day.student_key AND face_day.occurred_on = gate_day.occurred_on

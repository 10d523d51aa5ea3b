/*---
kind         = "table"
about        = "Rooms that each counselor is to visit in a week (封闭: 走访计划抽样): those longest without contact, and some drawn at random. Which is which never reaches the visitor."
about_zh     = "封闭库：每名辅导员一周要走访的房间，包括最久没有联系的和随机抽取的。哪间属于哪种，不告诉走访人。"
owner        = "student_affairs_office"
materialized = "as_of"
cadence      = "week"
grain        = ["counselor_key", "room_id"]
purpose      = ["service"]

[settings]
rooms_n  = 10    # rooms a week for each counselor
random_n = 2     # of them drawn at random, all others alike

[columns]
counselor_key = { about = "Who visits, pseudonymous.", about_zh = "走访人，以假名表示。", class = "personal" }
room_id       = { about = "Room.", about_zh = "房间。", class = "trace" }
visit_no      = { about = "Place in the plan, at random over all its rooms.", about_zh = "在计划中的序号，全部房间随机排列。", class = "trace" }
probability   = { about = "How likely the room was to be in the plan; 1 for a chosen one.", about_zh = "该房间进入计划的概率；选定的为1。", class = "closed" }
---*/

-- Keys of residents are secret outside the platform: whoever knows rooms and dates cannot work the draw out. Ties, lots and
-- places are shuffled apart from each other: one order for two of them would tell by the place which rooms were drawn.
WITH room AS (
    SELECT
        dim_student.counselor_key,
        dim_student.room_id,
        max(feat_measure.value) AS gap_days,
        CAST(sum(dim_student.student_key % 1000003) AS VARCHAR) || dim_student.room_id || CAST($as_of AS VARCHAR) AS seed
    FROM dim_student
    LEFT JOIN feat_measure
        ON feat_measure.student_key = dim_student.student_key AND feat_measure.as_of_on = $as_of AND feat_measure.measure = 'contact_gap'
    WHERE dim_student.as_of_on = $as_of
        AND dim_student.is_enrolled
        AND dim_student.counselor_key IS NOT NULL
        AND dim_student.room_id IS NOT NULL
    GROUP BY dim_student.counselor_key, dim_student.room_id
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY counselor_key ORDER BY gap_days DESC NULLS LAST, md5('tie' || seed)) <= ${rooms_n} - ${random_n} AS is_chosen,
        count(*) OVER (PARTITION BY counselor_key) AS room_n
    FROM room
),

drawn AS (
    SELECT
        *,
        CASE WHEN is_chosen THEN 1.0
            ELSE CAST(least(${random_n}, room_n - (${rooms_n} - ${random_n})) AS DOUBLE) / (room_n - (${rooms_n} - ${random_n})) END AS probability,
        row_number() OVER (PARTITION BY counselor_key, is_chosen ORDER BY md5('lot' || seed)) AS lot_no
    FROM ranked
)

SELECT
    counselor_key,
    room_id,
    row_number() OVER (PARTITION BY counselor_key ORDER BY md5('place' || seed)) AS visit_no,
    probability
FROM drawn
WHERE is_chosen OR lot_no <= ${random_n}

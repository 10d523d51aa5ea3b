/*---
kind         = "table"
about        = "Whom aid is about: recognised in hardship this year, paid within a year, a candidate for hidden aid, or eating as often for much less money (封闭: 资助对象与候选). Nobody else has a row, so whoever works with it sees nobody else."
about_zh     = "封闭库：资助涉及的学生，即本年度认定困难、一年内领过资助，隐形资助的候选，或用餐次数未减而餐费明显减少的学生。其他人没有行，因此做这项工作的人看不到其他任何人。"
owner        = "student_aid_center"
materialized = "as_of"
cadence      = "week"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["aid"]

[columns]
student_key   = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
college_name  = { about = "College.", about_zh = "学院。", class = "closed" }
class         = { about = "Class.", about_zh = "班级。", class = "closed" }
aid_level     = { about = "Level of the newest recognition; empty if there is none.", about_zh = "最近一次认定的等级；没有时为空。", class = "closed" }
recognised_on = { about = "Day of that recognition.", about_zh = "该次认定的日期。", class = "closed" }
paid_fen      = { unit = "fen", about = "Aid of every kind that was paid within 365 days.", about_zh = "365天内发放的各类资助。", class = "closed" }
hidden_fen    = { unit = "fen", about = "Of that hidden aid.", about_zh = "其中的隐形资助。", class = "closed" }
gap_fen       = { unit = "fen", about = "Of a candidate for hidden aid: benchmark less what was spent in the canteens in 28 days; an offer of help, never a finding of need.", about_zh = "隐形资助候选：基准减去28天内的食堂花费；是提供帮助的线索，不是对困难的认定。", class = "closed" }
price_fell    = { unit = "share", about = "Of who eats as often as before: by how much the spending of two weeks is below the own usual; an offer of help, never a finding of need.", about_zh = "用餐次数未减的学生：近两周餐费比本人平时低多少；是提供帮助的线索，不是对困难的认定。", class = "closed" }
---*/

WITH recognised AS (
    SELECT
        student_key,
        level,
        recognised_on,
        row_number() OVER (PARTITION BY student_key ORDER BY recognised_on DESC, aid_id) AS place
    FROM stg_aid_status
    WHERE recognised_on >= $as_of - INTERVAL '365' DAY AND recognised_on <= $as_of
),

paid AS (
    SELECT student_key, sum(amount_fen) AS paid_fen, sum(CASE WHEN kind = 'hidden_aid' THEN amount_fen ELSE 0 END) AS hidden_fen
    FROM stg_aid_payment
    WHERE paid_on >= $as_of - INTERVAL '365' DAY
    GROUP BY student_key
),

candidate AS (
    SELECT student_key, gap_fen
    FROM closed_aid_gap
    WHERE as_of_on = CAST(date_trunc('week', $as_of) AS DATE)
),

cheaper AS (
    SELECT student_key, price_fell
    FROM closed_price_drop
    WHERE as_of_on = CAST(date_trunc('week', $as_of) AS DATE)
)

SELECT
    dim_student.student_key,
    dim_student.college_name,
    dim_student.class,
    recognised.level AS aid_level,
    recognised.recognised_on,
    coalesce(paid.paid_fen, 0) AS paid_fen,
    coalesce(paid.hidden_fen, 0) AS hidden_fen,
    candidate.gap_fen,
    cheaper.price_fell
FROM dim_student
LEFT JOIN recognised ON recognised.student_key = dim_student.student_key AND recognised.place = 1
LEFT JOIN paid ON paid.student_key = dim_student.student_key
LEFT JOIN candidate ON candidate.student_key = dim_student.student_key
LEFT JOIN cheaper ON cheaper.student_key = dim_student.student_key
WHERE dim_student.as_of_on = $as_of
    AND dim_student.is_enrolled
    AND (recognised.student_key IS NOT NULL OR paid.student_key IS NOT NULL OR candidate.student_key IS NOT NULL
        OR cheaper.student_key IS NOT NULL)

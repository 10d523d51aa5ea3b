/*---
kind         = "table"
about        = "From which day on a student's own past counts, and until when nothing is compared with it: who was away for more than thirty days outside vacations, or comes back from a leave of school, begins anew; newcomers have no past of eight weeks (自身可比起点)."
about_zh     = "自身可比起点：自哪一天起的以往才算自己的以往，到何时为止不作比较；假期以外离校超过三十天的，或休学后复学的，重新开始；新生没有八周的以往。"
owner        = "platform"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["portrait", "trend_warning"]

[settings]
away_days  = 30   # without any trace, vacations and holidays apart: what was usual before is no measure for after
entry_days = 56   # after the entry

[columns]
back_on     = { about = "First day with a trace after such an absence; empty without one.", about_zh = "长时间离开后第一天有记录的日期；没有离开过时为空。" }
from_on     = { about = "Day from which on the own past counts: that return, entry or return to school, whichever is last; the date itself for who is still away.", about_zh = "自己的以往从哪天算起：返校、入学或复学中最晚的一个；仍未返回者为基准日当天。" }
quiet_until = { about = "Until then nothing is compared with the own past; empty for whoever did not enter lately.", about_zh = "在此之前不与自己的以往比较；不是新近入学者为空。" }
---*/

WITH seen AS (
    SELECT student_key, occurred_on, lead(occurred_on) OVER (PARTITION BY student_key ORDER BY occurred_on) AS next_on
    FROM int_student_day
    WHERE occurred_on >= $as_of - INTERVAL '140' DAY AND event_n > 0
),

watched AS (
    SELECT min(occurred_on) AS since_on
    FROM seen
),

person AS (
    SELECT student_key, min(occurred_on) AS first_on, max(occurred_on) AS last_on
    FROM seen
    GROUP BY student_key
),

-- Between two days with a trace; before the first, for an absence may have begun before the window; and since the last.
gap AS (
    SELECT student_key, occurred_on AS last_on, next_on, TRUE AS is_over
    FROM seen
    WHERE arrow_cast(next_on, 'Int32') - arrow_cast(occurred_on, 'Int32') > ${away_days}

    UNION ALL

    SELECT person.student_key, watched.since_on, person.first_on, TRUE
    FROM watched
    CROSS JOIN person
    WHERE arrow_cast(person.first_on, 'Int32') - arrow_cast(watched.since_on, 'Int32') > ${away_days}

    UNION ALL

    SELECT student_key, last_on, $as_of, FALSE
    FROM person
    WHERE arrow_cast($as_of, 'Int32') - arrow_cast(last_on, 'Int32') > ${away_days}
),

-- How many days of a gap were no vacation.
away AS (
    SELECT gap.student_key, gap.next_on, gap.is_over
    FROM gap
    INNER JOIN dim_student ON dim_student.student_key = gap.student_key AND dim_student.as_of_on = $as_of
    INNER JOIN int_calendar_day ON int_calendar_day.grade = dim_student.grade AND int_calendar_day.campus = coalesce(dim_student.campus, '')
    WHERE int_calendar_day.date > gap.last_on AND int_calendar_day.date < gap.next_on
        AND int_calendar_day.kind NOT IN ('vacation', 'holiday')
    GROUP BY gap.student_key, gap.next_on, gap.is_over
    HAVING count(*) > ${away_days}
),

begun AS (
    SELECT student_key, next_on AS from_on, CASE WHEN is_over THEN next_on END AS back_on, CAST(NULL AS DATE) AS quiet_until
    FROM away

    UNION ALL

    SELECT
        student_key,
        valid_from AS from_on,
        CAST(NULL AS DATE) AS back_on,
        CASE WHEN change_kind = 'entry' THEN CAST(valid_from + INTERVAL '${entry_days}' DAY AS DATE) END AS quiet_until
    FROM stg_enrollment_span
    WHERE change_kind IN ('entry', 'return') AND valid_from < $as_of
)

SELECT student_key, max(from_on) AS from_on, max(back_on) AS back_on, max(quiet_until) AS quiet_until
FROM begun
GROUP BY student_key

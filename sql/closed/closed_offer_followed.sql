/*---
kind         = "table"
about        = "Whose weeks had changed on a Monday, whether somebody then spoke with them, and whether a change is still found four weeks later (封闭: 提示跟进与其后): what the effect of following up is made of. One row a student, the first such Monday; who was spoken with only after two weeks is left out, as is who had been before."
about_zh     = "封闭库：谁的周记录在某个周一已有变化，其后是否有人与其谈过，四周后变化是否还在；跟进效果由此算出。每名学生一行，取第一个这样的周一；两周之后才有人谈的不计，此前已有人谈过的也不计。"
owner        = "student_affairs_office"
materialized = "view"
grain        = ["student_key"]
subject      = "student_key"
purpose      = ["evaluation"]

[settings]
contact_days = 14    # within which an offer is taken up
outcome_days = 28    # after which it is looked whether a change is still found

[columns]
student_key  = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
found_on     = { about = "First Monday on which something was found.", about_zh = "有所发现的第一个周一。", class = "closed" }
rules_n      = { about = "Rules and trends that found something.", about_zh = "有所发现的规则和趋势数。", class = "closed" }
channels_n   = { about = "Channels in which it was found.", about_zh = "有所发现的渠道数。", class = "closed" }
strength     = { about = "The greatest sum of a trend; 0 where only rules found something.", about_zh = "趋势的最大累计值；只有规则发现时为0。", class = "closed" }
is_trend     = { about = "Whether a trend found something.", about_zh = "是否有趋势发现。", class = "closed" }
days_since   = { about = "Days since the change began.", about_zh = "变化开始以来的天数。", class = "closed" }
is_contacted = { about = "Whether somebody spoke with the student within two weeks.", about_zh = "两周内是否有人与学生谈过。", class = "closed" }
is_found     = { about = "Whether a rule or trend finds something four weeks later.", about_zh = "四周后是否仍有规则或趋势发现。", class = "closed" }
---*/

WITH found AS (
    SELECT
        student_key,
        as_of_on AS found_on,
        count(*) AS rules_n,
        count(DISTINCT channel) AS channels_n,
        max(coalesce(score, 0.0)) AS strength,
        bool_or(score IS NOT NULL) AS is_trend,
        max(arrow_cast(as_of_on, 'Int32') - arrow_cast(since_on, 'Int32')) AS days_since
    FROM warning_candidate
    -- 1970-01-05 was a Monday.
    WHERE severity IS NOT NULL AND (arrow_cast(as_of_on, 'Int32') - 4) % 7 = 0
    GROUP BY student_key, as_of_on
),

first_found AS (
    SELECT *, row_number() OVER (PARTITION BY student_key ORDER BY found_on) AS place
    FROM found
),

-- Only a date whose four weeks are over, and which was looked at then.
looked_at AS (
    SELECT DISTINCT as_of_on
    FROM portrait_student
),

contact AS (
    SELECT DISTINCT student_key, campus_on(first_contact_at) AS contacted_on
    FROM stg_case_state
    WHERE first_contact_at IS NOT NULL
),

followed AS (
    SELECT
        it.student_key,
        it.found_on,
        bool_or(contact.contacted_on < it.found_on) AS was_before,
        bool_or(contact.contacted_on >= it.found_on AND contact.contacted_on < it.found_on + INTERVAL '${contact_days}' DAY) AS is_soon,
        bool_or(
            contact.contacted_on >= it.found_on + INTERVAL '${contact_days}' DAY
            AND contact.contacted_on < it.found_on + INTERVAL '${outcome_days}' DAY) AS is_late
    FROM first_found AS it
    INNER JOIN contact ON contact.student_key = it.student_key
    WHERE it.place = 1
    GROUP BY it.student_key, it.found_on
)

SELECT
    it.student_key,
    it.found_on,
    it.rules_n,
    it.channels_n,
    CAST(it.strength AS DOUBLE) AS strength,
    it.is_trend,
    it.days_since,
    coalesce(followed.is_soon, FALSE) AS is_contacted,
    later.student_key IS NOT NULL AS is_found
FROM first_found AS it
INNER JOIN looked_at ON looked_at.as_of_on = it.found_on + INTERVAL '${outcome_days}' DAY
LEFT JOIN found AS later ON later.student_key = it.student_key AND later.found_on = it.found_on + INTERVAL '${outcome_days}' DAY
LEFT JOIN followed ON followed.student_key = it.student_key
WHERE it.place = 1
    AND NOT coalesce(followed.was_before, FALSE)
    AND (coalesce(followed.is_soon, FALSE) OR NOT coalesce(followed.is_late, FALSE))

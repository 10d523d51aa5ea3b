/*---
kind         = "table"
about        = "Canteen payments of four weeks as meals at groups of terminals, with whether who paid takes no part in social measures (封闭: 就餐)."
about_zh     = "封闭库：四周的食堂付款，按终端组归成一餐，并注明付款人是否已退出社交类指标。"
owner        = "psychology_center"
materialized = "view"
cached       = true
subject      = "student_key"
purpose      = ["care"]

[settings]
breakfast_to = 570
lunch_to     = 900

[columns]
meal     = { about = "Number of the meal: campus day and breakfast, lunch or dinner.", about_zh = "餐的编号：校园日加早、午或晚餐。", class = "closed" }
hall     = { about = "Number of the group of terminals.", about_zh = "终端组编号。", class = "closed" }
second   = { about = "Seconds since 1970.", about_zh = "自1970年起的秒数。", class = "closed" }
student_key = { about = "The student, pseudonymous.", about_zh = "学生，以假名表示。", class = "closed" }
has_left = { about = "Whether they object: then the payment makes no pair and no measure of theirs, and is only left out where it would make others seem alone.", about_zh = "是否已提出异议：此时该付款不构成任何配对或本人的指标，只在会让别人显得独自一人时用来把那一餐排除。", class = "closed" }
---*/

WITH hall AS (
    SELECT terminal_group, row_number() OVER (ORDER BY terminal_group) AS hall
    FROM (SELECT DISTINCT split_part(terminal_id, '-', 2) AS terminal_group FROM stg_card_txn
        WHERE merchant_kind = 'canteen' AND occurred_on >= $as_of - INTERVAL '28' DAY) AS terminal
)

SELECT
    stg_card_txn.student_key,
    3 * arrow_cast(stg_card_txn.occurred_on, 'Int32')
        + CASE WHEN stg_card_txn.minute_of_day < ${breakfast_to} THEN 0 WHEN stg_card_txn.minute_of_day < ${lunch_to} THEN 1 ELSE 2 END AS meal,
    hall.hall,
    CAST(date_part('epoch', stg_card_txn.occurred_at) AS BIGINT) AS second,
    closed_social_left.student_key IS NOT NULL AS has_left
FROM stg_card_txn
INNER JOIN hall ON hall.terminal_group = split_part(stg_card_txn.terminal_id, '-', 2)
LEFT JOIN closed_social_left ON closed_social_left.student_key = stg_card_txn.student_key
WHERE stg_card_txn.merchant_kind = 'canteen' AND stg_card_txn.occurred_on >= $as_of - INTERVAL '28' DAY

/*---
kind         = "table"
about        = "When dormitories close, of those whose register says so (门禁关闭时间); the others close at the hour of the settings."
about_zh     = "登记了关门时间的宿舍楼何时关门；其余楼栋以设置中的时间为准。"
owner        = "logistics_security_office"
materialized = "view"
grain        = ["building_id"]
purpose      = ["portrait", "trend_warning", "public_safety", "cockpit", "service"]

[settings]
evening_minute = 1260    # 21:00: an hour before that is no closing time, and a slip
grace_minutes  = 30      # whoever comes so soon after closing is back

[columns]
building_id    = { about = "Building.", about_zh = "楼栋。", class = "internal" }
closes_minute  = { unit = "minutes", about = "When the gates close, since 00:00 of the night's own date; beyond 1440 after midnight.", about_zh = "关门时间，自当夜日期零点起的分钟数；午夜之后超过1440。", class = "internal" }
closing_minute = { unit = "minutes", about = "Until when somebody counts as back: half an hour later, on a full half hour.", about_zh = "到何时算作已归：再晚半小时，取整半点。", class = "internal" }
---*/

WITH said AS (
    SELECT
        building_id,
        TRY_CAST(split_part(closes_at, ':', 1) AS INT) AS hour,
        TRY_CAST(split_part(closes_at, ':', 2) AS INT) AS minute
    FROM stg_building
),

closing AS (
    SELECT building_id, max(60 * CASE WHEN hour < 4 THEN hour + 24 ELSE hour END + minute) AS closes_minute
    FROM said
    WHERE hour BETWEEN 0 AND 23 AND minute BETWEEN 0 AND 59
    GROUP BY building_id
)

SELECT
    building_id,
    closes_minute,
    30 * ((closes_minute + ${grace_minutes} + 29) / 30) AS closing_minute
FROM closing
WHERE closes_minute >= ${evening_minute}

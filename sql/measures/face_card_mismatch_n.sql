/*---
kind      = "measure"
about     = "Passages by card within two minutes of one by face at another place, per 28 days on campus (人卡不符): a card that somebody else carries, or a face that was taken for another's. For the safety desk only; no breach of rules."
about_zh  = "刷卡或扫码通行的前后两分钟内在另一处有人脸通行的次数，按近28天的在校日折算成28个在校日。可能是卡由他人携带，也可能是人脸认成了别人。仅供安全岗位查看，不是违纪。"
title_zh  = "人卡不符次数"
title_en  = "Face and card apart"
owner     = "logistics_security_office"
subject   = "student_key"
purpose   = ["public_safety"]
dimension = "safety"
facet     = "device"
unit      = "count"
window    = "28d"
n_min     = 10
cov_min   = 0.8
mad_floor = 1.0
class     = "trace"
---*/

SELECT
    int_campus_day.student_key,
    CAST(28 * sum(int_campus_day.face_card_n) AS DECIMAL(18, 6)) / count(*) AS value,
    count(*) AS n,
    min(int_coverage.dorm_cov) AS cov
FROM int_campus_day
CROSS JOIN int_coverage
WHERE int_campus_day.occurred_on >= $as_of - INTERVAL '28' DAY AND int_campus_day.is_on_campus
GROUP BY int_campus_day.student_key

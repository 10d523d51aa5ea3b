/*---
kind       = "risk"
about      = "Enrolled undergraduates who are not recognised as in hardship now, by what the campus card says of money and by nothing else; it suggests whom to tell of aid, and is no ground to grant or to withhold any."
about_zh   = "目前未认定困难的在籍本科生，只看校园卡所反映的花费，别的都不看；提示可以向谁介绍资助政策，不作给予或拒绝资助的依据。"
title_zh   = "可能需要了解资助政策"
title_en   = "Aid: may want to hear of it"
owner      = "student_aid_center"
purpose    = ["service"]
thread     = "life_aid"
channel    = "economy"
class      = "closed"
label      = "label_hardship"
candidates = ["logistic", "boost"]
baselines  = ["closed_aid_gap.gap_fen", "closed_price_drop.price_fell", "low:meal_price", "low:canteen_spend", "high:low_balance_days"]
own_list   = "counselor_talk"
budget     = 40
inputs     = [
    "canteen_share",
    "canteen_spend",
    "low_balance_days",
    "meal_price",
    "meal_price.z_peer",
    "spending_drop",
    "spending_volatility",
    "topup_interval",
]
caveat_zh  = "只说明校园卡上的消费与以往后来获得认定的学生相近；可能在校外用餐或用手机支付，不说明家庭情况。请私下介绍政策，由学生自己决定是否申请，不公示、不评价。"
caveat_en  = "It only says that spending on the card is like that of students who were recognised later; eating off campus and paying by phone look the same, and it says nothing of the family. Tell of aid in private; the student decides. Nothing is posted or judged."
first_step_zh = "由资助中心或辅导员私下介绍政策，请学生自己决定是否申请；不公示、不比较。"
first_step_en = "The aid centre or the counselor tells of aid in private and lets the student decide; nothing is posted, nobody is compared."

[columns]
place  = { about = "Building and floor of the bed: the baseline of places.", about_zh = "床位所在楼栋和楼层：地点基线。", class = "closed" }
gender = { about = "For the audit of fairness only; never an input.", about_zh = "仅用于公平性审计；绝不作输入。", class = "closed" }
campus = { about = "Campus; for the audit of fairness only.", about_zh = "校区；仅用于公平性审计。", class = "closed" }
---*/

-- Whoever is recognised needs no candidate; recognition is renewed every year.
SELECT student_key, place, college, grade, campus, gender
FROM int_undergraduate
WHERE coalesce(recognised_on < $as_of - INTERVAL '330' DAY, TRUE)

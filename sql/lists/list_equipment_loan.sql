/*---
kind     = "list"
about    = "Things of the community lent for more than a week and not brought back, and things that came back damaged within four weeks (物品借用待处理)."
about_zh = "借出超过一周尚未归还的物品，以及近四周归还时损坏的物品。"
title_zh = "物品借用待处理"
title_en = "Loans to settle"
owner    = "student_affairs_office"
grain    = ["loan_id"]
subject  = "student_key"
purpose  = ["service"]

[settings]
loan_days = 7

[columns]
loan_id      = { title_zh = "借用编号", title_en = "Loan" }
item         = { title_zh = "物品", title_en = "Item" }
lent_at      = { title_zh = "借出时间", title_en = "Lent" }
returned_at  = { about = "Return; empty while it lasts.", about_zh = "归还时间；尚未归还时为空。", title_zh = "归还时间", title_en = "Returned" }
is_damaged   = { about = "Whether it came back damaged; empty before.", about_zh = "归还时是否损坏；归还前为空。", title_zh = "是否损坏", title_en = "Damaged" }
college_name = { title_zh = "学院", title_en = "College" }
class        = { title_zh = "班级", title_en = "Class" }
---*/

SELECT
    stg_equipment_loan.loan_id,
    stg_equipment_loan.student_key,
    stg_equipment_loan.item,
    stg_equipment_loan.lent_at,
    CASE WHEN stg_equipment_loan.returned_at < day_start($as_of) THEN stg_equipment_loan.returned_at END AS returned_at,
    CASE WHEN stg_equipment_loan.returned_at < day_start($as_of) THEN stg_equipment_loan.is_damaged END AS is_damaged,
    dim_student.college_name,
    dim_student.class
FROM stg_equipment_loan
INNER JOIN dim_student ON dim_student.student_key = stg_equipment_loan.student_key AND dim_student.as_of_on = $as_of
-- The first load of the register already tells how a loan ended: before that it was out.
WHERE (coalesce(stg_equipment_loan.returned_at >= day_start($as_of), TRUE) AND stg_equipment_loan.lent_at < day_start(CAST($as_of - INTERVAL '${loan_days}' DAY AS DATE)))
    OR (stg_equipment_loan.is_damaged = 'yes' AND stg_equipment_loan.returned_at >= day_start(CAST($as_of - INTERVAL '28' DAY AS DATE))
        AND stg_equipment_loan.returned_at < day_start($as_of))

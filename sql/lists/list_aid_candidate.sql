/*---
kind     = "list"
about    = "Students whose spending on the card is like that of students who were recognised as in hardship later (困难生候选): tell of aid in private, and let the student decide. Empty until the model has shown on past years that it finds more than the rule of hidden aid and than the place. Never for psychology, and no ground to grant or withhold."
about_zh = "校园卡消费与以往后来获得困难认定的学生相近的学生：请私下介绍资助政策，由学生自己决定是否申请。模型在往年数据上证明优于隐形资助规则和按地点的发生率之前，名单为空。不进入心理工作，也不作给予或拒绝资助的依据。"
title_zh = "可介绍资助政策的学生"
title_en = "Whom to tell of aid"
owner    = "student_aid_center"
grain    = ["student_key"]
subject  = "student_key"
purpose  = ["service"]

[columns]
reason_zh    = { title_zh = "依据", title_en = "Grounds (Chinese)" }
reason_en    = { title_zh = "依据（英文）", title_en = "Grounds" }
known_n      = { title_zh = "有数据的项数", title_en = "Inputs with data" }
college_name = { title_zh = "学院", title_en = "College" }
class        = { title_zh = "班级", title_en = "Class" }
---*/

SELECT
    risk_score.student_key,
    risk_score.reason_zh,
    risk_score.reason_en,
    risk_score.known_n,
    dim_student.college_name,
    dim_student.class
FROM risk_score
INNER JOIN dim_student ON dim_student.student_key = risk_score.student_key AND dim_student.as_of_on = $as_of
WHERE risk_score.as_of_on = $as_of AND risk_score.model = 'hardship' AND risk_score.is_offered

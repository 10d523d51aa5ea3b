/*---
kind         = "table"
about        = "Coded states of counselling as they stand (封闭: 咨询状态), for psychology beside a case. Nothing else may read it: it is no input of any measure, rule, trend, model or list."
about_zh     = "封闭库：目前的咨询状态编码，供心理工作在个案旁查看。其他任何内容都不得读取：不作任何指标、规则、趋势、模型或清单的输入。"
owner        = "psychology_center"
materialized = "whole"
grain        = ["state_id"]
subject      = "student_key"
purpose      = ["service"]
---*/

SELECT state_id, student_key, state, from_on, to_on
FROM stg_counselling_state
WHERE superseded_at IS NULL

/*---
kind         = "table"
about        = "Approvals of the use of data that are in force in the register, one row an approval (数据使用审批)."
about_zh     = "登记册中有效的数据使用审批，每份审批一行。"
owner        = "network_center"
materialized = "whole"
grain        = ["doc_no"]
purpose      = ["cockpit"]
---*/

SELECT doc_no, source, owner_office, purpose, fields, kept_for, approver, valid_from, valid_to
FROM stg_data_use_approval
WHERE superseded_at IS NULL

/*---
kind  = "check"
about = "Every presentation begins on a day: a new one is entered in int_presentation and in the contracts."
owner = "registry"
---*/

SELECT code_module, code_presentation
FROM int_presentation
WHERE started_on IS NULL

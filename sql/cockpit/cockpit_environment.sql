/*---
kind         = "table"
about        = "Buildings, floors, classes, majors and colleges whose students' weeks moved together on a date: something about the place or the plan, to be looked at before any person (环境变化)."
owner        = "logistics_office"
materialized = "as_of"
grain        = ["trend", "group_kind", "group_id"]
purpose      = ["cockpit"]

[columns]
trend      = { about = "What moved: file in sql/trend.", class = "internal" }
group_kind = { about = "building, floor, class, major or college.", class = "internal" }
group_id   = { about = "Which one.", class = "internal" }
since_on   = { about = "First day of the week since which it lasts.", class = "internal" }
student_n  = { about = "Students of the group with a value; never fewer than ten.", class = "internal" }
shift      = { about = "How far the middle of the group moved, in robust deviations of the students' own weeks.", class = "internal" }
---*/

SELECT trend, group_kind, group_id, max(since_on) AS since_on, max(n) AS student_n, max(shift) AS shift
FROM warning_group
WHERE as_of_on = $as_of
GROUP BY trend, group_kind, group_id

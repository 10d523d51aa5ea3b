//! Complete work lists: who stays, who is not back, whom nobody called, and what explains a silence.

use std::collections::BTreeSet;

use tempfile::TempDir;

use crate::support::{NOW, built, campus, copy, demo, repository, run_newest, sql};

#[test]
fn who_stays_over_a_holiday_is_listed_from_the_registration_until_the_holiday_ends() {
    let data = built().0.path();
    let days = sql(
        data,
        "SELECT as_of_on, count(*) AS n FROM list_holiday_stay WHERE holiday = 'national_day' GROUP BY as_of_on ORDER BY as_of_on",
    );
    let due = sql(
        data,
        "SELECT count(DISTINCT stay_id) AS n FROM stg_holiday_stay INNER JOIN dim_student ON dim_student.student_key = stg_holiday_stay.student_key \
         WHERE holiday = 'national_day' AND dim_student.is_enrolled AND dim_student.as_of_on = DATE '2025-10-01'",
    );
    assert!(3 < days.len(), "the list stands on {} dates", days.len());
    assert!(0 < due[0]["n"].as_i64().unwrap_or_default(), "nobody registered");
    for it in &days {
        let on = it["as_of_on"].as_str().expect("a date");
        assert!(("2025-09-25".."2025-10-09").contains(&&on[..10]), "a list of {on}");
        assert_eq!(it["n"], due[0]["n"], "{on}");
    }
}

#[test]
fn whoever_was_seen_by_nothing_since_the_holiday_is_listed_and_nobody_who_is_on_leave() {
    let data = built().0.path();
    let keys = |query: &str| -> BTreeSet<i64> { sql(data, query).iter().filter_map(|it| it["student_key"].as_i64()).collect() };
    let listed = keys("SELECT student_key FROM list_not_back WHERE as_of_on = DATE '2025-10-10'");
    let due = keys(
        "SELECT dim_student.student_key FROM dim_student \
         LEFT ANTI JOIN (SELECT student_key FROM int_student_day WHERE occurred_on BETWEEN DATE '2025-10-08' AND DATE '2025-10-09') AS seen \
         ON seen.student_key = dim_student.student_key \
         LEFT ANTI JOIN (SELECT student_key FROM stg_class_attendance WHERE occurred_on = DATE '2025-10-09' AND state IN ('present', 'late')) AS taught \
         ON taught.student_key = dim_student.student_key \
         LEFT ANTI JOIN (SELECT student_key FROM stg_night_check WHERE occurred_on BETWEEN DATE '2025-10-08' AND DATE '2025-10-09') AS found \
         ON found.student_key = dim_student.student_key \
         LEFT ANTI JOIN (SELECT student_key FROM stg_contact_record WHERE occurred_on BETWEEN DATE '2025-10-08' AND DATE '2025-10-09') AS met \
         ON met.student_key = dim_student.student_key \
         LEFT ANTI JOIN (SELECT student_key FROM stg_internship_placement WHERE begins_on < DATE '2025-10-10') AS placed \
         ON placed.student_key = dim_student.student_key \
         WHERE dim_student.as_of_on = DATE '2025-10-10' AND dim_student.is_enrolled AND NOT dim_student.is_on_leave",
    );
    assert!(!due.is_empty(), "everybody was back the day after the holiday");
    let missed: Vec<_> = due.difference(&listed).collect();
    assert!(missed.is_empty(), "{missed:?} are not on the list");
    let away =
        keys("SELECT student_key FROM dim_student WHERE as_of_on = DATE '2025-10-10' AND (is_on_leave OR NOT is_enrolled)");
    assert!(
        !away.is_empty() && away.is_disjoint(&listed),
        "on leave and listed: {:?}",
        away.intersection(&listed).collect::<Vec<_>>()
    );
    let seen = sql(
        data,
        "SELECT count(*) AS n FROM list_not_back WHERE last_seen_on >= DATE '2025-10-08' AND as_of_on = DATE '2025-10-10'",
    );
    assert_eq!(seen[0]["n"], 0, "who was seen since the holiday is listed");
}

#[test]
fn an_intern_whose_tutor_did_not_call_for_a_week_is_listed_whoever_else_talked() {
    let data = demo();
    let last = "(SELECT max(as_of_on) FROM portrait_student)";
    let ids = |query: &str| -> BTreeSet<String> {
        sql(data, query).iter().filter_map(|it| Some(it["placement_id"].as_str()?.to_owned())).collect()
    };
    let listed = ids(&format!("SELECT placement_id FROM list_internship_contact WHERE as_of_on = {last}"));
    let due = ids(&format!(
        "SELECT placement_id FROM stg_internship_placement \
         LEFT ANTI JOIN (SELECT student_key, staff_key FROM stg_contact_record WHERE occurred_on >= {last} - INTERVAL '7' DAY) AS met \
         ON met.student_key = stg_internship_placement.student_key AND met.staff_key = stg_internship_placement.tutor_key \
         WHERE begins_on <= {last} - INTERVAL '7' DAY AND ends_on >= {last}"
    ));
    assert!(!due.is_empty(), "no intern is due");
    assert_eq!(listed, due);
    let others = sql(
        data,
        "SELECT count(*) AS n FROM list_internship_contact \
         INNER JOIN stg_internship_placement ON stg_internship_placement.placement_id = list_internship_contact.placement_id \
         INNER JOIN stg_contact_record ON stg_contact_record.student_key = list_internship_contact.student_key \
         WHERE stg_contact_record.staff_key <> stg_internship_placement.tutor_key \
         AND stg_contact_record.occurred_on >= list_internship_contact.as_of_on - INTERVAL '7' DAY \
         AND stg_contact_record.occurred_on < list_internship_contact.as_of_on",
    );
    assert!(0 < others[0]["n"].as_i64().unwrap_or_default(), "nobody else talked with an intern who is due");
    // The contact that is due takes the place of the silence.
    let silent = sql(
        data,
        "SELECT count(*) AS n FROM warning_candidate \
         INNER JOIN stg_internship_placement ON stg_internship_placement.student_key = warning_candidate.student_key \
         WHERE warning_candidate.rule = 'no_trace' AND stg_internship_placement.begins_on < warning_candidate.as_of_on \
         AND stg_internship_placement.ends_on >= warning_candidate.as_of_on",
    );
    assert_eq!(silent[0]["n"], 0, "an intern is looked for on campus");
}

#[test]
fn a_closed_campus_explains_every_silence_while_it_lasts() {
    let input = TempDir::new().expect("a folder");
    copy(campus(), input.path(), &|_| true);
    let file = input.path().join("registry/campus_event_20250921.csv");
    let told = std::fs::read_to_string(&file).expect("the events of a week");
    let told = format!("{}\nSJ-CLOSED,主校区,封闭,,2025-09-20 06:00,2025-10-01 06:00\n", told.trim_end());
    std::fs::write(&file, told).expect("a file");
    let data = TempDir::new().expect("a folder");
    run_newest(data.path(), input.path(), NOW);
    let found = |data: &std::path::Path, days: &str| {
        sql(
            data,
            &format!(
                "SELECT as_of_on, student_key FROM warning_candidate WHERE rule = 'no_trace' AND {days} ORDER BY as_of_on, student_key"
            ),
        )
    };
    let during = "as_of_on BETWEEN DATE '2025-09-22' AND DATE '2025-09-30'";
    assert!(!found(built().0.path(), during).is_empty(), "without the closure somebody leaves no trace");
    assert_eq!(found(data.path(), during), Vec::<serde_json::Value>::new(), "the closure explains it");
    let before = "as_of_on < DATE '2025-09-20'";
    assert_eq!(found(built().0.path(), before), found(data.path(), before), "what came before the closure is as it was");
}

#[test]
fn who_missed_classes_without_leave_and_what_is_lent_too_long_is_listed_and_nobody_else() {
    let data = demo();
    let last = sql(data, "SELECT CAST(max(as_of_on) AS VARCHAR) AS day FROM portrait_student")[0]["day"].clone();
    let last = format!("DATE '{}'", &last.as_str().expect("a date")[..10]);
    let rows = |query: &str| -> BTreeSet<String> { sql(data, query).iter().map(ToString::to_string).collect() };
    let missed = rows(&format!(
        "SELECT called.student_key, count(*) AS absent_n FROM stg_class_attendance AS called \
         INNER JOIN dim_student ON dim_student.student_key = called.student_key AND dim_student.as_of_on = {last} \
         WHERE called.state = 'absent' AND called.occurred_on >= {last} - INTERVAL '7' DAY AND called.occurred_on < {last} \
         AND called.known_at <= day_start({last}) AND dim_student.is_enrolled GROUP BY called.student_key HAVING count(*) >= 2"
    ));
    assert!(!missed.is_empty(), "nobody missed two classes");
    assert_eq!(rows(&format!("SELECT student_key, absent_n FROM list_class_absence WHERE as_of_on = {last}")), missed);

    let known = format!("known_at <= day_start({last}) AND (superseded_at IS NULL OR superseded_at > day_start({last}))");
    let out = rows(&format!(
        "SELECT loan_id FROM stg_equipment_loan WHERE {known} AND lent_at < day_start({last}) - INTERVAL '7' DAY \
         AND (returned_at IS NULL OR returned_at >= day_start({last})) \
         AND student_key IN (SELECT student_key FROM dim_student WHERE as_of_on = {last})"
    ));
    let damaged = rows(&format!(
        "SELECT loan_id FROM stg_equipment_loan WHERE {known} AND is_damaged = 'yes' AND returned_at < day_start({last}) \
         AND returned_at >= day_start({last}) - INTERVAL '28' DAY \
         AND student_key IN (SELECT student_key FROM dim_student WHERE as_of_on = {last})"
    ));
    assert!(!out.is_empty() || !damaged.is_empty(), "nothing is lent");
    let due: BTreeSet<String> = out.union(&damaged).cloned().collect();
    assert_eq!(rows(&format!("SELECT loan_id FROM list_equipment_loan WHERE as_of_on = {last}")), due);

    // Past its deadline and never settled: listed. Still within it: not.
    let open = rows(&format!(
        "SELECT stg_ticket.ticket_id FROM stg_ticket \
         LEFT ANTI JOIN (SELECT ticket_id FROM stg_ticket_event WHERE stage IN ('resolved', 'withdrawn')) AS settled \
         ON settled.ticket_id = stg_ticket.ticket_id \
         WHERE {known} AND due_at < day_start({last}) AND resolved_at IS NULL AND status <> 'withdrawn'"
    ));
    let listed = rows(&format!("SELECT ticket_id FROM list_overdue_ticket WHERE as_of_on = {last}"));
    assert!(open.is_subset(&listed), "not listed: {:?}", open.difference(&listed).collect::<Vec<_>>());
    let early = format!(
        "SELECT count(*) AS n FROM list_overdue_ticket WHERE as_of_on = {last} AND (due_at >= day_start({last}) OR overdue_h < 0)"
    );
    assert_eq!(sql(data, &early)[0]["n"], 0, "a request within its time is listed");

    // Whoever is enrolled stands in a counselor's charge or on the list.
    let charge = |condition: &str| {
        rows(&format!(
            "SELECT student_key FROM dim_student WHERE as_of_on = {last} AND is_enrolled AND counselor_key {condition}"
        ))
    };
    let without = rows(&format!("SELECT student_key FROM list_without_counselor WHERE as_of_on = {last}"));
    assert_eq!(without, charge("IS NULL"));
    assert!(without.is_disjoint(&charge("IS NOT NULL")));
}

#[test]
fn a_tag_is_said_with_its_evidence_until_it_expires() {
    let data = demo();
    let told = sql(
        data,
        "SELECT student_key, CAST(as_of_on AS VARCHAR) AS day, CAST(since_on AS VARCHAR) AS since, evidence_zh, evidence_en, source \
         FROM portrait_tag WHERE tag = 'newcomer'",
    );
    // Eight weeks from the entry, on every date that is kept; the register is known to the students of the date.
    let due = sql(
        data,
        "SELECT told.student_key, CAST(told.as_of_on AS VARCHAR) AS day FROM \
         (SELECT DISTINCT portrait.as_of_on, portrait.student_key FROM portrait_student AS portrait \
         INNER JOIN stg_enrollment_span AS span ON span.student_key = portrait.student_key AND span.change_kind = 'entry' \
         AND span.valid_from < portrait.as_of_on AND span.valid_from >= portrait.as_of_on - INTERVAL '56' DAY \
         AND span.known_at <= day_start(portrait.as_of_on) \
         AND (span.superseded_at IS NULL OR span.superseded_at > day_start(portrait.as_of_on))) AS told",
    );
    let keys = |rows: &[serde_json::Value]| -> BTreeSet<(i64, String)> {
        rows.iter().filter_map(|it| Some((it["student_key"].as_i64()?, it["day"].as_str()?.to_owned()))).collect()
    };
    let (said, due) = (keys(&told), keys(&due));
    assert!(!due.is_empty(), "nobody entered");
    let missing: Vec<_> = due.difference(&said).take(5).collect();
    assert!(missing.is_empty(), "newcomers without their tag: {missing:?}");
    for it in &told {
        let since = &it["since"].as_str().expect("a date")[..10];
        for evidence in [&it["evidence_zh"], &it["evidence_en"]] {
            assert!(evidence.as_str().is_some_and(|it| it.contains(since)), "no evidence: {it}");
        }
        assert_eq!(it["source"], "enrollment_span");
        // Fifty-six days after the entry it is said for the last time.
        let on = |text: &str| text[..10].parse::<chrono::NaiveDate>().expect("a date");
        let days = (on(it["day"].as_str().expect("a date")) - on(since)).num_days();
        assert!((1..=56).contains(&days), "{it}: {days} days after the entry");
    }
    // Some of them are there still when it is said no more.
    let last = sql(data, "SELECT student_key, CAST(as_of_on AS VARCHAR) AS day FROM portrait_student");
    let here = keys(&last);
    let newest = here.iter().map(|it| it.1.clone()).max().expect("a date");
    let ended = said.iter().filter(|it| here.contains(&(it.0, newest.clone())) && !said.contains(&(it.0, newest.clone())));
    assert!(0 < ended.count(), "no tag ended");
}

/// What int_building_tonight reads, of six buildings with one gate each: they said last that they are well, and told of a passage
/// last, at minutes of the night's own date.
const BUILDINGS: &str = "WITH stg_device AS (
    SELECT name AS device_id, name AS building_id, 'dorm' AS kind
    FROM (VALUES ('well'), ('lagging'), ('degraded'), ('mute'), ('flooded'), ('after midnight')) AS gate (name)
),
int_building_closing AS (SELECT 'after midnight' AS building_id, 1440 AS closing_minute),
int_device_day AS (
    SELECT device_id, DATE '2025-11-03' AS occurred_on, last_minute - 1080 AS well_night_minutes,
        arrow_cast(CAST(day_start(DATE '2025-11-03') AS BIGINT) + (last_minute - 240) * 60000000, 'Timestamp(Microsecond, Some(\"UTC\"))')
            AS last_well_at
    FROM (VALUES ('well', 1430), ('lagging', 1430), ('degraded', 1200), ('mute', 1430), ('flooded', 1430), ('after midnight', 1470))
        AS beat (device_id, last_minute)
),
int_gate_slot AS (
    SELECT device_id, DATE '2025-11-03' AS occurred_on, slot, passage_n
    FROM (VALUES ('well', 139, 1), ('lagging', 120, 1), ('degraded', 139, 1), ('flooded', 139, 600), ('after midnight', 139, 1),
        ('after midnight', 2, 1)) AS passage (device_id, slot, passage_n)
),
beat AS (";

#[test]
fn the_list_of_tonight_holds_while_gates_are_well_and_tell_of_passages() {
    let file = repository().join("sql/intermediate/int_building_tonight.sql");
    let file = std::fs::read_to_string(file).expect("the file of the table");
    let (front, query) = file.split_once("---*/").expect("front matter");
    let settings = front.split_once("[settings]\n").expect("settings").1;
    let settings = settings.lines().take_while(|it| !it.is_empty()).filter_map(|it| it.split_once('='));
    let query = settings.fold(query.replace("$as_of", "DATE '2025-11-03'"), |query, (name, value)| {
        let value = value.split('#').next().unwrap_or_default().trim().replace('"', "'");
        query.replace(&format!("${{{}}}", name.trim()), &value)
    });
    let (_, rest) = query.split_once("WITH beat AS (").expect("its first step");
    let rows = sql(demo(), &format!("{BUILDINGS}{rest} ORDER BY building_id"));
    let told: Vec<(&str, &str, Option<&str>)> = rows
        .iter()
        .map(|it| {
            let name = it["building_id"].as_str().expect("a name");
            (name, it["from_at"].as_str().expect("an instant"), it["until_at"].as_str())
        })
        .collect();
    let usual = "2025-11-03T15:30:00Z";
    let expected = [
        // It closes later than others, and was heard until 00:30.
        ("after midnight", "2025-11-03T16:00:00Z", Some("2025-11-03T17:00:00Z")),
        // Since 20:00 it says that it is degraded.
        ("degraded", usual, Some("2025-11-03T12:30:00Z")),
        // Of such a gate, and of one that told of no passage all day, nobody knows who came in.
        ("flooded", usual, None),
        // Heartbeats come, and no passage since 20:00: whoever came in later may not be known yet.
        ("lagging", usual, Some("2025-11-03T14:00:00Z")),
        ("mute", usual, None),
        // Half an hour after the gate last said that it is well, 23:50.
        ("well", usual, Some("2025-11-03T16:20:00Z")),
    ];
    assert_eq!(told, expected);
    // A building without a list says since when nobody passed its gates, where that is why.
    let quiet: Vec<(&str, &str)> =
        rows.iter().filter_map(|it| Some((it["building_id"].as_str()?, it["quiet_since_at"].as_str()?))).collect();
    assert_eq!(quiet, [("lagging", "2025-11-03T12:00:00Z")]);
}

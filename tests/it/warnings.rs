//! What is offered of students: bundled, within what people have hours for, replayable, and net of what a building did.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{copy, demo, run, said, sql, yizhan};

/// The instant as of which the demonstration ends.
const NOW: &str = "2025-11-01T00:00:00+08:00";

fn offers(data: &Path) -> Vec<Value> {
    sql(
        data,
        "SELECT * FROM warning_student WHERE as_of_on = (SELECT max(as_of_on) FROM portrait_student) AND severity IS NOT NULL",
    )
}

/// A copy of the demonstration whose newest date is forgotten, so that another setting can build it anew.
fn anew(settings: &[&str]) -> TempDir {
    let data = TempDir::new().expect("a folder");
    copy(demo(), data.path(), &|_| true);
    for table in
        ["warning_signal", "warning_group", "warning_candidate", "warning_student", "cockpit_warning", "cockpit_environment"]
    {
        std::fs::remove_dir_all(data.path().join("lake").join(table)).expect("a table");
    }
    let mut args = vec!["transform", "--now", NOW];
    args.extend(settings);
    let (code, _, wrong) = said(&mut yizhan(data.path(), &args));
    assert_eq!(code, 0, "{wrong}");
    data
}

#[test]
fn an_offer_is_replayed_bit_for_bit_and_explained_in_plain_words() {
    let found = sql(
        demo(),
        "SELECT warning_id, reason_zh, reason_en, rules FROM warning_student WHERE severity IS NOT NULL AND score IS NOT NULL",
    );
    let standing: Vec<String> =
        sql(demo(), "SELECT DISTINCT trend FROM warning_signal WHERE subject_kind = 'person' AND is_standing")
            .iter()
            .map(|it| it["trend"].as_str().expect("a word").to_owned())
            .collect();
    let is_trend =
        |it: &&Value| standing.iter().any(|name| it["rules"].as_str().expect("words").split(',').any(|rule| rule == name));
    let offers: Vec<&Value> = found.iter().filter(is_trend).take(3).collect();
    assert!(!offers.is_empty(), "no trend was offered: {found:?}");
    for offer in offers {
        let id = offer["warning_id"].as_str().expect("an id");
        let (code, lines, wrong) = said(&mut yizhan(demo(), &["warn", "replay", id, "--from-bronze", "--format", "json"]));
        assert_eq!(code, 0, "{id}: {wrong}");
        let scored: Vec<&Value> = lines.iter().filter(|it| it["trend"].is_string()).collect();
        assert!(!scored.is_empty(), "{id} has no score: {lines:?}");
        for it in scored {
            assert_eq!((&it["is_same"], &it["from_bronze"]), (&Value::Bool(true), &Value::from("same")), "{it}");
        }
        let placed: Vec<&Value> = lines.iter().filter(|it| it["evidence"].is_object()).collect();
        // An offer that goes on has a place for every date on which more was found.
        assert!(!placed.is_empty() && placed.iter().all(|it| it["is_same"] == true), "{lines:?}");
        for it in &placed {
            // Before any outcome all rules are worth the same.
            let witnesses = it["evidence"]["witnesses"].as_array().expect("witnesses");
            assert!(!witnesses.is_empty() && witnesses.iter().all(|it| it["worth"] == 1.0), "{it:?}");
        }
        let (code, lines, _) = said(&mut yizhan(demo(), &["warn", "explain", id, "--format", "json"]));
        assert_eq!(code, 0);
        assert!(!lines[0]["reasons_zh"][0].as_str().expect("a reason").is_empty());
        assert!(!lines[0]["caveats_zh"][0].as_str().expect("a caveat").is_empty());
    }
    let (code, _, wrong) = said(&mut yizhan(demo(), &["warn", "replay", "0123456789abcdef"]));
    assert_eq!(code, 2);
    assert!(wrong.contains("there is no offer 0123456789abcdef"), "{wrong}");
}

#[test]
fn without_an_hour_to_give_every_safety_check_is_told_and_nothing_else() {
    let none = anew(&["--set", "warning.capacity.hours_a_week=0.0"]);
    assert!(!offers(demo()).is_empty(), "the demonstration offers something");
    assert_eq!(offers(none.path()), Vec::<Value>::new());
    let checks =
        "SELECT student_key, rule, now_value FROM warning_student WHERE severity IS NULL ORDER BY as_of_on, student_key, rule";
    let told = sql(demo(), checks);
    assert!(!told.is_empty(), "somebody left no trace");
    assert_eq!(told, sql(none.path(), checks));
    // What was cut is a figure, and nobody's list.
    let cut = sql(none.path(), "SELECT max(shortfall_n) AS n FROM cockpit_warning WHERE scope = 'university'");
    assert!(10 <= cut[0]["n"].as_i64().expect("a shortfall"), "{cut:?}");
    let (code, _, wrong) = said(&mut yizhan(none.path(), &["sql", "SELECT * FROM warning_candidate", "--as", "psychologist"]));
    assert_eq!(code, 2, "{wrong}");
}

#[test]
fn no_owner_is_offered_more_in_a_week_than_was_said() {
    let two = anew(&["--set", "warning.capacity.hours_a_week=2.0", "--set", "warning.capacity.hours_a_talk=1.0"]);
    let query = "SELECT owner_key, as_of_on, count(DISTINCT warning_id) AS n FROM warning_student \
                 WHERE severity IS NOT NULL AND issued_on > as_of_on - INTERVAL '7' DAY GROUP BY owner_key, as_of_on";
    let found = sql(two.path(), query);
    assert!(!found.is_empty());
    for it in found {
        assert!(it["n"].as_i64().expect("a count") <= 2, "{it}");
    }
}

#[test]
fn what_a_building_did_is_one_notice_and_no_hint_about_its_students() {
    let exports = demo().join("exports");
    let truth = std::fs::read_to_string(exports.join("truth/students.csv")).expect("the students");
    let numbers: Vec<&str> = truth.lines().skip(1).filter_map(|it| it.split(',').next()).collect();
    let homes = sql(
        demo(),
        "SELECT raw_student.row_no, dim_student.building_id FROM raw_student LEFT JOIN dim_student \
         ON dim_student.student_key = raw_student.student_key AND dim_student.as_of_on = (SELECT max(as_of_on) FROM dim_student) \
         ORDER BY raw_student.row_no",
    );
    // Whoever is in the register on paper only stands at its end.
    assert!(numbers.len() <= homes.len() && homes.len() < numbers.len() + 10, "{} of {}", numbers.len(), homes.len());
    let mut of_building: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (number, home) in numbers.iter().zip(&homes) {
        if let Some(building) = home["building_id"].as_str() {
            of_building.entry(building).or_default().push(number);
        }
    }
    let (building, residents) = of_building.iter().max_by_key(|it| it.1.len()).expect("a building");
    assert!(40 <= residents.len(), "{building} has {} residents", residents.len());

    // Nobody of the building has breakfast in a canteen any more: say, a shop opened downstairs.
    let input = TempDir::new().expect("a folder");
    copy(&exports, input.path(), &|_| true);
    let mut dropped = 0;
    for entry in std::fs::read_dir(input.path().join("card")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(day) = name.strip_prefix("card_").and_then(|it| it.get(..8)).filter(|it| "20251018" <= *it) else { continue };
        let bytes = std::fs::read(&path).expect("a file");
        let kept: Vec<&[u8]> = bytes
            .split_inclusive(|it| *it == b'\n')
            .filter(|line| {
                // The bytes of numbers and times are ASCII in every encoding that a card system exports.
                let cells: Vec<&[u8]> = line.split(|it| *it == b',').collect();
                let is_theirs = cells.get(1).is_some_and(|it| residents.iter().any(|number| number.as_bytes() == *it));
                let time = cells.last().map(|it| String::from_utf8_lossy(it).into_owned()).unwrap_or_default();
                let hour = time.split(' ').nth(1).and_then(|it| it.split(':').next()).and_then(|it| it.parse::<u32>().ok());
                let is_canteen = cells.get(2).is_some_and(|it| it.starts_with(b"T-C"));
                !(is_theirs && is_canteen && hour.is_some_and(|it| it < 10))
            })
            .collect();
        dropped += bytes.split_inclusive(|it| *it == b'\n').count() - kept.len();
        assert!(!day.is_empty());
        std::fs::write(&path, kept.concat()).expect("written");
    }
    assert!(100 < dropped, "only {dropped} breakfasts were taken away");
    // And the water of the building was cut on a day of that time.
    let file = input.path().join("registry/campus_event_20251019.csv");
    let told = std::fs::read_to_string(&file).expect("the events of a week");
    let cut = format!("SJ-CUT,主校区,停水停电,{building},2025-10-26 08:00,2025-10-26 12:00");
    std::fs::write(&file, format!("{}\n{cut}\n", told.trim_end())).expect("written");
    let data = TempDir::new().expect("a folder");
    run(data.path(), input.path(), NOW);

    let newest = "as_of_on = (SELECT max(as_of_on) FROM portrait_student)";
    let notices = sql(
        data.path(),
        &format!("SELECT * FROM warning_group WHERE {newest} AND trend IN ('breakfast', 'meals') ORDER BY trend"),
    );
    let told: Vec<(&str, &str)> =
        notices.iter().map(|it| (it["group_kind"].as_str().expect("a kind"), it["group_id"].as_str().expect("an id"))).collect();
    assert!(told.contains(&("building", building)), "the building is not told: {notices:?}");
    assert!(told.iter().all(|it| it == &("building", *building)), "more than the building is told: {notices:?}");
    let causes = sql(data.path(), &format!("SELECT causes FROM cockpit_environment WHERE {newest} AND group_id = '{building}'"));
    assert!(!causes.is_empty(), "no cause is looked for");
    for it in &causes {
        let words: Vec<&str> = it["causes"].as_str().expect("causes").split(',').collect();
        assert!(words.contains(&"campus_event"), "the cut water is not named: {it}");
        assert!(!words.contains(&"exam") && !words.contains(&"internship"), "a cause that is none: {it}");
    }
    let count = |data: &Path| {
        let query =
            format!("SELECT count(*) AS n FROM warning_signal WHERE {newest} AND subject_kind = 'person' AND is_standing");
        sql(data, &query)[0]["n"].as_i64().expect("a count")
    };
    let (before, after) = (count(demo()), count(data.path()));
    // Neither more of them, nor fewer because what the building did hides what its students did.
    let is_within_a_tenth = |before: i64, after: i64| 10 * (after - before).abs() <= before + 9;
    assert!(is_within_a_tenth(before, after), "{before} signals of students before, {after} with the shop");
    let (before, after) = (offers(demo()).len() as i64, offers(data.path()).len() as i64);
    assert!(0 < before && is_within_a_tenth(before, after), "{before} offers before, {after} with the shop");
}

#[test]
fn a_gate_that_was_dead_for_six_hours_is_a_device_and_nobodys_fault() {
    let input = TempDir::new().expect("a folder");
    copy(&demo().join("exports"), input.path(), &|_| true);
    // Both gates of a building, from six in the evening to midnight of the day before the newest date: no beat and no passage.
    let (from_ms, to_ms) = (1_761_818_400_000_i64, 1_761_840_000_000_i64);
    let gates = ["\"G-N2-1\"", "\"G-N2-2\""];
    let mut dropped = 0;
    for name in ["gate_20251030.jsonl.gz", "heartbeat_20251030.jsonl.gz"] {
        let path = input.path().join("gate").join(name);
        let mut text = String::new();
        let bytes = std::fs::read(&path).expect("a file");
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("lines");
        let is_dead = |line: &str| {
            let row: Value = serde_json::from_str(line).unwrap_or_default();
            let at = row["event_ms"].as_i64().or(row["beat_ms"].as_i64());
            gates.iter().any(|it| line.contains(it)) && at.is_some_and(|it| (from_ms..to_ms).contains(&it))
        };
        let kept: Vec<&str> = text.lines().filter(|it| !is_dead(it)).collect();
        dropped += text.lines().count() - kept.len();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all((kept.join("\n") + "\n").as_bytes()).expect("packed");
        std::fs::write(&path, packed.finish().expect("packed")).expect("written");
    }
    assert!(72 < dropped, "only {dropped} lines were dropped");
    let data = TempDir::new().expect("a folder");
    run(data.path(), input.path(), NOW);

    let newest = "as_of_on = (SELECT max(as_of_on) FROM portrait_student)";
    let at_n2 = format!("student_key IN (SELECT student_key FROM dim_student WHERE {newest} AND building_id = 'N2')");
    let told = |data: &Path, severity: &str| {
        let query = format!(
            "SELECT DISTINCT student_key, rule FROM warning_candidate WHERE {newest} AND severity {severity} AND {at_n2} \
             ORDER BY student_key, rule"
        );
        sql(data, &query)
    };
    // Nothing is found of anybody in the building that was not found anyway. What is offered of it may change places: where
    // a figure is missing, another one comes within the hours that there are.
    for severity in ["IS NULL", "IS NOT NULL"] {
        let before = told(demo(), severity);
        let new: Vec<Value> = told(data.path(), severity).into_iter().filter(|it| !before.contains(it)).collect();
        assert_eq!(new, Vec::<Value>::new(), "severity {severity}");
    }
    let absent = format!("SELECT student_key FROM list_unverified_absence WHERE {newest} AND {at_n2}");
    assert_eq!(sql(data.path(), &absent), Vec::<Value>::new());
    let offline = |data: &Path| {
        let found = sql(data, &format!("SELECT device_id FROM list_device_offline WHERE {newest} ORDER BY device_id"));
        found.iter().filter_map(|it| it["device_id"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let before = offline(demo());
    let new: Vec<String> = offline(data.path()).into_iter().filter(|it| !before.contains(it)).collect();
    assert_eq!(new, ["G-N2-1", "G-N2-2"]);
}

#[test]
fn the_place_in_a_plan_of_visits_does_not_tell_which_rooms_were_drawn() {
    let query = "SELECT count(*) AS n, avg(visit_no) AS place FROM closed_visit_plan WHERE probability < 1";
    let drawn = &sql(demo(), query)[0];
    let (n, place) = (drawn["n"].as_i64().expect("a count"), drawn["place"].as_f64().expect("a place"));
    // Ten places a plan: 5.5 in the middle, with a deviation of 2.87 for one room and 0.33 for eighty.
    assert!(60 <= n, "only {n} rooms were drawn");
    assert!((place - 5.5).abs() < 1.0, "{n} drawn rooms stand at {place} of 10");
    // All plans have as many, and nothing of a list but the order could tell.
    let listed = sql(demo(), "SELECT * FROM list_visit LIMIT 1");
    for column in ["probability", "is_chosen", "gap_days"] {
        assert!(listed[0].get(column).is_none(), "{column} is on the visitor's list");
    }
}

#[test]
fn rooms_that_are_chosen_are_those_longest_without_contact() {
    let query = "WITH room AS (
        SELECT person.as_of_on, person.counselor_key, person.room_id, max(gap.value) AS gap_days
        FROM dim_student AS person
        LEFT JOIN feat_measure AS gap
            ON gap.student_key = person.student_key AND gap.as_of_on = person.as_of_on AND gap.measure = 'contact_gap'
        WHERE person.is_enrolled AND person.counselor_key IS NOT NULL AND person.room_id IS NOT NULL
        GROUP BY person.as_of_on, person.counselor_key, person.room_id
    )
    SELECT room.as_of_on, room.counselor_key, count(*) AS room_n, count(plan.room_id) AS planned_n,
        min(CASE WHEN plan.probability = 1 THEN coalesce(room.gap_days, -1) END) AS chosen_least,
        max(CASE WHEN coalesce(plan.probability, 0) < 1 THEN coalesce(room.gap_days, -1) END) AS other_most,
        min(CASE WHEN coalesce(plan.probability, 0) < 1 THEN coalesce(room.gap_days, -1) END) AS other_least
    FROM room
    LEFT JOIN closed_visit_plan AS plan
        ON plan.as_of_on = room.as_of_on AND plan.counselor_key = room.counselor_key AND plan.room_id = room.room_id
    WHERE room.as_of_on IN (SELECT as_of_on FROM closed_visit_plan)
    GROUP BY room.as_of_on, room.counselor_key";
    let number = |it: &Value, name: &str| it[name].as_f64();
    let (mut looked_at, mut apart) = (0, 0);
    for it in sql(demo(), query) {
        let (rooms, planned) = (number(&it, "room_n").expect("a count"), number(&it, "planned_n").expect("a count"));
        assert_eq!(planned, rooms.min(10.0), "{it}");
        let (Some(chosen), Some(other)) = (number(&it, "chosen_least"), number(&it, "other_most")) else { continue };
        assert!(other <= chosen, "a room without contact for longer was left to chance: {it}");
        looked_at += 1;
        apart += usize::from(number(&it, "other_least").is_some_and(|it| it < chosen));
    }
    assert!(3 < looked_at && 0 < apart, "{looked_at} plans, {apart} of them with a choice to make");
}

#[test]
fn visits_and_effect_are_told_by_the_command_with_what_they_rest_on() {
    let told = |args: &[&str]| {
        let (code, mut lines, wrong) = said(yizhan(demo(), args).args(["--format", "json", "--now", NOW]));
        assert_eq!(code, 0, "{args:?}: {wrong}");
        lines.pop().expect("an answer")
    };
    let visits = told(&["warn", "visits"]);
    let seen = "SELECT count(*) AS n, sum(CASE WHEN probability < 1 THEN 1 ELSE 0 END) AS random_n FROM closed_visit_seen";
    let plans = "SELECT count(*) AS n, sum(warned_n) AS warned_n, sum(not_warned_n) AS not_warned_n FROM closed_visit_frame AS frame \
                 LEFT SEMI JOIN closed_visit_seen AS seen ON seen.plan_on = frame.as_of_on AND seen.counselor_key = frame.counselor_key";
    let (seen, plans) = (sql(demo(), seen), sql(demo(), plans));
    assert!(seen[0]["n"].as_i64().is_some_and(|it| 0 < it), "nobody was met: {seen:?}");
    assert_eq!(visits["n_random"], seen[0]["random_n"], "{visits}");
    assert_eq!((&visits["plans_n"], &visits["warned_n"]), (&plans[0]["n"], &plans[0]["warned_n"]), "{visits} {plans:?}");
    assert_eq!(visits["not_warned_n"], plans[0]["not_warned_n"], "{visits}");
    // Too few are no estimate; an estimate has bounds about it.
    match visits["recall_vs_visit"].as_str() {
        Some("too_few") => assert!(visits.get("recall").is_none(), "{visits}"),
        Some("estimated") => {
            let of = |name: &str| visits["recall"][name].as_f64().expect("a figure");
            assert!(0.0 <= of("low") && of("low") <= of("value") && of("value") <= of("high"), "{visits}");
        }
        _ => panic!("{visits}"),
    }
    let before = told(&["warn", "visits", "--until", "2020-01-01"]);
    assert_eq!((&before["plans_n"], &before["n_random"]), (&Value::from(0), &Value::from(0)), "{before}");
    let (code, _, wrong) = said(&mut yizhan(demo(), &["warn", "visits", "--from", "2025-10-01", "--until", "2025-09-01"]));
    assert!(code == 2 && wrong.contains("--until"), "{code}: {wrong}");

    let effect = told(&["warn", "effect"]);
    let number = |name: &str| effect[name].as_u64().unwrap_or_else(|| panic!("no {name}: {effect}"));
    assert!(number("contacted_n") <= number("students_n"), "{effect}");
    // Nothing is claimed of too few.
    let is_few = effect["verdict"] == "too_few";
    assert_eq!(is_few, effect["lift"].is_null(), "{effect}");
    assert!(is_few || 2 <= number("contacted_n"), "{effect}");
}

#[test]
fn a_bound_is_proposed_from_past_weeks_and_nothing_is_changed() {
    let data = TempDir::new().expect("a folder");
    copy(demo(), data.path(), &|_| true);
    let stored = "SELECT * FROM warning_signal ORDER BY as_of_on, trend, subject_kind, subject_id";
    let before = sql(data.path(), stored);
    let tune = |times: &str| {
        let args = ["warn", "tune", "--weeks", "6", "--times", times, "--format", "json", "--now", NOW];
        let (code, mut lines, wrong) = said(&mut yizhan(data.path(), &args));
        assert_eq!(code, 0, "{wrong}");
        lines.pop().expect("an answer")
    };
    let told = tune("2");
    assert_eq!(told, tune("2"), "the same weeks give the same bound");
    let number = |it: &Value, name: &str| it[name].as_f64().unwrap_or_else(|| panic!("no {name}: {it}"));
    assert!(
        (number(&told, "room_a_week") - 2.0 * number(&told, "talks_a_week") * number(&told, "owners")).abs() < 1e-9,
        "{told}"
    );
    let levels = told["levels"].as_array().expect("levels");
    // More than one odd week can give: the greatest that a week counts for, less the slack.
    assert!(levels.iter().all(|it| 3.5 < number(it, "cusum_h")), "{told}");
    let fits = |told: &Value| {
        let room = number(told, "room_a_week");
        let levels = told["levels"].as_array().expect("levels");
        // The least bound that fits, and none only where none does.
        let least = levels.iter().find(|it| number(it, "begun_a_week") <= room).map(|it| number(it, "cusum_h"));
        assert_eq!(told["cusum_h"].as_f64(), least, "{told}");
    };
    fits(&told);
    // With room for everybody the least bound of all is proposed; less room, a greater one or none.
    let (wide, narrow) = (tune("1000"), tune("0.001"));
    assert_eq!(number(&wide, "cusum_h"), number(&levels[0], "cusum_h"), "{wide}");
    let bound = |it: &Value| it["cusum_h"].as_f64().unwrap_or(f64::INFINITY);
    assert!(bound(&wide) <= bound(&told) && bound(&told) <= bound(&narrow), "{told} {narrow}");
    assert!(bound(&wide) < bound(&narrow), "nothing began in six weeks: {narrow}");
    fits(&narrow);
    assert_eq!(sql(data.path(), stored), before);
    let (code, _, wrong) = said(&mut yizhan(data.path(), &["warn", "tune", "--times", "0"]));
    assert_eq!(code, 2, "{wrong}");
    assert!(wrong.contains("--times 0"), "{wrong}");
}

#[test]
fn every_offer_says_a_first_step_in_both_languages() {
    let found = sql(demo(), "SELECT DISTINCT rule, warning_id FROM warning_student ORDER BY rule");
    assert!(!found.is_empty());
    let mut seen: Vec<&str> = Vec::new();
    for offer in &found {
        let rule = offer["rule"].as_str().expect("a rule");
        if seen.contains(&rule) {
            continue;
        }
        seen.push(rule);
        let id = offer["warning_id"].as_str().expect("an id");
        let (code, lines, wrong) = said(&mut yizhan(demo(), &["warn", "explain", id, "--format", "json"]));
        assert_eq!(code, 0, "{wrong}");
        for name in ["first_step_zh", "first_step_en"] {
            let step = lines[0][name].as_str().expect("a step");
            assert!(!step.is_empty(), "{rule} says no {name}");
        }
    }
}

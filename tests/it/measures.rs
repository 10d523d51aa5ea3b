//! What the measures are made of: traits that were planted move them, faces and the future do not.

use std::collections::{BTreeMap, BTreeSet};

use tempfile::TempDir;

use crate::support::{NOW, binary, built, campus, copy, demo, output, repository, run_newest, said, small, sql, yizhan};

/// Measures that serve safety only; all others must not know of a face.
const SAFETY: [&str; 6] =
    ["overnight_absence_n", "silence_h", "silence_surprise", "gate_anomaly_n", "face_card_mismatch_n", "contact_gap"];

/// Measures of the closed compartment that are held against a trait.
const CLOSED: [&str; 2] = ["social_degree", "meal_alone_ratio"];

#[test]
fn measures_follow_the_traits_that_were_planted() {
    let data = demo();
    let truth = std::fs::read_to_string(data.join("exports/truth/students.csv")).expect("the students");
    let mut lines = truth.lines();
    let heads: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|it| it.split(',').collect()).collect();
    let keys = sql(data, "SELECT student_key FROM raw_student ORDER BY row_no");
    let keys: Vec<i64> = keys.iter().map(|it| it["student_key"].as_i64().expect("a key")).collect();
    // Behind them stand those who are in the register only.
    assert!(rows.len() <= keys.len());
    let trait_of = |name: &str| -> BTreeMap<i64, f64> {
        let place = heads.iter().position(|it| *it == name).expect("a trait");
        keys.iter().zip(&rows).map(|(key, row)| (*key, row[place].parse().expect("a number"))).collect()
    };
    let value_of = |measure: &str| -> BTreeMap<i64, f64> {
        let table = if CLOSED.contains(&measure) { "closed_measure" } else { "feat_measure" };
        let query = format!(
            "SELECT student_key, value FROM {table} WHERE measure = '{measure}' AND value IS NOT NULL \
             AND as_of_on = (SELECT max(as_of_on) FROM {table})"
        );
        let found = sql(data, &query);
        found.iter().map(|it| (it["student_key"].as_i64().expect("a key"), it["value"].as_f64().expect("a value"))).collect()
    };
    // Rank correlation with 300 students has an error of 0.06: the bounds leave room for it. Each line says the bound that
    // what was found would bear.
    let (mut told, mut outside) = (Vec::new(), Vec::new());
    for (measure, name, bounds) in [
        ("meal_price", "budget", Some((0.75, 1.0))),
        ("canteen_spend", "budget", Some((0.3, 1.0))),
        ("low_balance_days", "budget", Some((-1.0, -0.12))),
        ("library_in_n", "diligence", Some((0.5, 1.0))),
        ("study_water_n", "diligence", Some((0.45, 1.0))),
        ("class_attendance_rate", "diligence", Some((0.35, 1.0))),
        ("gpa", "diligence", Some((0.75, 1.0))),
        ("grade_residual", "diligence", Some((0.75, 1.0))),
        ("failed_credits", "diligence", Some((-1.0, -0.45))),
        ("activity_n", "sociability", Some((0.4, 1.0))),
        ("ideology_participation_n", "sociability", Some((0.2, 1.0))),
        ("breakfast_rate", "rhythm", Some((-1.0, -0.12))),
        ("social_jet_lag", "rhythm", Some((0.35, 1.0))),
        ("meal_orderliness", "rhythm", Some((0.12, 1.0))),
        ("shower_orderliness", "diligence", Some((-1.0, -0.2))),
        ("social_degree", "sociability", Some((0.1, 1.0))),
        ("meal_alone_ratio", "sociability", Some((-1.0, -0.1))),
        // What has nothing to do with a trait does not follow it, chance apart.
        ("meal_price", "diligence", None),
        ("library_in_n", "budget", None),
        ("activity_n", "diligence", None),
        ("gpa", "sociability", None),
        ("presence_regularity", "sociability", None),
        ("social_degree", "diligence", None),
    ] {
        let (of_trait, of_measure) = (trait_of(name), value_of(measure));
        let pairs: Vec<(f64, f64)> = of_measure.iter().filter_map(|(key, value)| Some((*of_trait.get(key)?, *value))).collect();
        assert!(100 < pairs.len(), "{measure} is known of {} students only", pairs.len());
        let rank = spearman(&pairs);
        let error = 1.06 / (pairs.len() as f64 - 3.0).sqrt();
        let nearest = rank.signum() * (rank.abs() - 3.0 * error);
        let (low, high) = bounds.unwrap_or((-3.0 * error, 3.0 * error));
        let line = format!(
            "{measure} against {name}: {rank:.3} of {} students, error {error:.3}, three errors nearer to nothing {nearest:.3}, \
             bounds {low:.3} to {high:.3}",
            pairs.len()
        );
        println!("{line}");
        if !(low..=high).contains(&rank) {
            outside.push(line.clone());
        }
        told.push(line);
    }
    assert!(outside.is_empty(), "not within their bounds:\n{}\nall of them:\n{}", outside.join("\n"), told.join("\n"));
    // Who is found to eat together was planted as a group of friends, with hardly an exception.
    let groups = trait_of("friend_group");
    let edges = sql(data, "SELECT u, v FROM closed_edge WHERE as_of_on = (SELECT max(as_of_on) FROM closed_edge)");
    let group_of = |it: &serde_json::Value| groups[&it.as_i64().expect("a key")];
    let friends = edges.iter().filter(|it| group_of(&it["u"]) == group_of(&it["v"])).count();
    assert!(30 < edges.len() && edges.len() * 9 < friends * 10, "{friends} of {} edges are friends", edges.len());
}

#[test]
fn no_outage_leave_or_lost_card_moves_a_measure() {
    let plain = TempDir::new().expect("a folder");
    let out = std::process::Command::new(binary())
        .args(["simulate", "--students", "300", "--days", "40", "--seed", "5", "--uneventful", "--out"])
        .arg(plain.path())
        .output()
        .expect("the binary starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let data = TempDir::new().expect("a folder");
    run_newest(data.path(), plain.path(), NOW);
    // The same people on the same days, once with and once without what keeps them or the devices away.
    let values = |data: &std::path::Path| -> BTreeMap<String, BTreeMap<i64, f64>> {
        let keys = sql(data, "SELECT student_key FROM raw_student ORDER BY row_no");
        let places: BTreeMap<i64, i64> =
            keys.iter().zip(0..).map(|(it, place)| (it["student_key"].as_i64().expect("a key"), place)).collect();
        // The closed ones as well: who was on leave did not eat alone.
        let query = "SELECT student_key, measure, value FROM feat_measure WHERE value IS NOT NULL \
                     AND as_of_on = (SELECT max(as_of_on) FROM feat_measure) UNION ALL \
                     SELECT student_key, measure, value FROM closed_measure WHERE value IS NOT NULL \
                     AND as_of_on = (SELECT max(as_of_on) FROM closed_measure)";
        let mut values: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
        for it in sql(data, query) {
            let (key, measure) = (it["student_key"].as_i64().expect("a key"), it["measure"].as_str().expect("a word"));
            values.entry(measure.to_owned()).or_default().insert(places[&key], it["value"].as_f64().expect("a value"));
        }
        values
    };
    let (eventful, uneventful) = (values(built().0.path()), values(data.path()));
    let mut looked_at = 0;
    for (measure, with) in &eventful {
        let without = &uneventful[measure];
        let pairs: Vec<(f64, f64)> = with.iter().filter_map(|(place, value)| Some((*value, *without.get(place)?))).collect();
        let n = pairs.len() as f64;
        let mean = pairs.iter().map(|it| it.1).sum::<f64>() / n;
        let spread = (pairs.iter().map(|it| (it.1 - mean).powi(2)).sum::<f64>() / n).sqrt();
        if pairs.len() < 100 || spread == 0.0 {
            continue;
        }
        looked_at += 1;
        let mut moved: Vec<f64> = pairs.iter().map(|it| (it.0 - it.1) / spread).collect();
        let shift = moved.iter().sum::<f64>() / n;
        moved.sort_by(f64::total_cmp);
        let middle = moved[moved.len() / 2];
        // A third of a deviation is what fewer days alone do to an entropy; an absence that is counted shows as far more.
        assert!(
            shift.abs() < 0.35 && middle.abs() < 0.3,
            "{measure} moved by {shift:.2} deviations, half of them by {middle:.2}"
        );
    }
    assert!(35 < looked_at, "only {looked_at} measures were looked at");
    // Whose leave left too few nights to say has no count; everybody else has the same one.
    let (with, without) = (&eventful["overnight_absence_n"], &uneventful["overnight_absence_n"]);
    assert!(100 < with.len(), "only {} students have nights enough", with.len());
    for (place, nights) in with {
        assert_eq!(without.get(place), Some(nights), "an explained night counts as an absence");
    }
}

#[test]
fn without_faces_nothing_but_safety_changes() {
    let input = TempDir::new().expect("a folder");
    copy(campus(), input.path(), &|it| !it.starts_with("gate_"));
    let mut dropped = 0;
    for entry in std::fs::read_dir(campus().join("gate")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with("gate_") {
            let unpacked = output(std::process::Command::new("gzip").arg("-dc").arg(&path)).stdout;
            let text = String::from_utf8_lossy(&unpacked).into_owned();
            let kept: Vec<&str> = text.lines().filter(|it| !it.contains("\"face\"")).collect();
            dropped += text.lines().count() - kept.len();
            std::fs::write(input.path().join("gate").join(name.trim_end_matches(".gz")), kept.join("\n") + "\n").expect("a file");
            let plain = input.path().join("gate").join(name.trim_end_matches(".gz"));
            let packed = output(std::process::Command::new("gzip").arg("-nf").arg(&plain));
            assert!(packed.status.success(), "gzip packs {name}");
        }
    }
    assert!(500 < dropped, "only {dropped} passages were by face");
    let data = TempDir::new().expect("a folder");
    run_newest(data.path(), input.path(), NOW);
    let list = SAFETY.map(|it| format!("'{it}'")).join(", ");
    let query = format!(
        "SELECT * FROM feat_measure WHERE measure NOT IN ({list}) AND as_of_on = (SELECT max(as_of_on) FROM feat_measure) \
         ORDER BY student_key, measure"
    );
    let (with, without) = (sql(built().0.path(), &query), sql(data.path(), &query));
    assert!(10_000 < with.len(), "there is something to compare");
    assert_eq!(with.len(), without.len());
    let differs = with.iter().zip(&without).find(|(a, b)| a != b);
    assert!(differs.is_none(), "a face moved a measure: {differs:?}");
    let closed =
        "SELECT * FROM closed_measure WHERE as_of_on = (SELECT max(as_of_on) FROM closed_measure) ORDER BY student_key, measure";
    assert_eq!(sql(built().0.path(), closed), sql(data.path(), closed), "a face moved a closed measure");
}

#[test]
fn an_entry_into_the_library_that_nobody_left_ends_at_closing_and_is_flagged() {
    let days = sql(
        demo(),
        "SELECT count(*) AS n, min(library_minutes) AS least, max(library_minutes) AS most, sum(CASE WHEN library_minutes > 0 THEN 1 ELSE 0 END) AS told_n \
         FROM int_student_day WHERE superseded_on IS NULL AND library_in_n = 1 AND library_open_n = 1",
    );
    let number = |name: &str| days[0][name].as_i64().expect("a number");
    assert!(20 < number("n"), "only {} stays have no end", number("n"));
    assert!(0 <= number("least") && number("most") <= 18 * 60, "a stay goes on after closing: {days:?}");
    assert!(10 * number("told_n") >= 9 * number("n"), "most stays without an exit count nothing: {days:?}");
    let paired = sql(
        demo(),
        "SELECT count(*) AS n FROM int_student_day WHERE superseded_on IS NULL AND (library_open_n > library_in_n OR library_open_n < 0)",
    );
    assert_eq!(paired[0]["n"], 0);
}

#[test]
fn three_meals_are_at_most_the_meals_of_a_day_and_months_of_taking_part_at_most_the_activities() {
    let newest = "(SELECT max(as_of_on) FROM feat_measure)";
    for (measure, bound, scale) in
        [("three_meal_rate", "meals_per_day", 3.0), ("ideology_months", "ideology_participation_n", 1.0)]
    {
        let query = format!(
            "SELECT told.value AS told, bound.value AS bound FROM feat_measure AS told \
             INNER JOIN feat_measure AS bound ON bound.student_key = told.student_key AND bound.as_of_on = told.as_of_on \
             WHERE told.as_of_on = {newest} AND told.measure = '{measure}' AND bound.measure = '{bound}' \
             AND told.value IS NOT NULL AND bound.value IS NOT NULL"
        );
        let pairs = sql(demo(), &query);
        assert!(200 < pairs.len(), "{measure} is known of {} students only", pairs.len());
        for it in &pairs {
            let (told, most) = (it["told"].as_f64().expect("a value"), it["bound"].as_f64().expect("a value") / scale);
            assert!((0.0..=most + 0.05).contains(&told), "{measure} is {told} and {bound} allows {most}");
            assert_eq!(told == 0.0, most == 0.0, "{measure}: {it}");
        }
        assert!(pairs.iter().any(|it| it["told"].as_f64().is_some_and(|it| 0.0 < it)), "{measure} is nothing for everybody");
    }
}

#[test]
fn plain_python_works_the_measures_out_again_and_finds_the_same() {
    let python = repository().join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make python` first (make test does)", python.display());
    let mut command = std::process::Command::new(python);
    command.arg(repository().join("tests/measures.py")).arg("--yizhan").arg(binary()).arg("--data").arg(demo());
    let out = output(command.current_dir(repository()));
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(60 < said.lines().count(), "{said}");
    for measure in ["meal_orderliness", "overnight_absence_n", "presence_regularity", "silence_surprise", "roommate_presence"] {
        assert!(said.contains(measure), "{measure} was not worked out again: {said}");
    }
}

#[test]
fn values_of_columns_are_held_against_the_four_weeks_before() {
    let newest = "(SELECT max(occurred_on) FROM drift_column_day)";
    let query = format!(
        "SELECT merchant_kind, count(*) AS n, sum(CASE WHEN occurred_on > {newest} - INTERVAL '7' DAY THEN 1 ELSE 0 END) AS now_n \
         FROM raw_card_txn WHERE occurred_on > {newest} - INTERVAL '35' DAY GROUP BY merchant_kind"
    );
    let number = |it: &serde_json::Value, name: &str| it[name].as_f64().expect("a number");
    let kinds: Vec<(f64, f64)> =
        sql(demo(), &query).iter().map(|it| (number(it, "now_n"), number(it, "n") - number(it, "now_n"))).collect();
    assert!(3 < kinds.len(), "{kinds:?}");
    let (now, past): (f64, f64) = kinds.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0 + 1.0, sum.1 + it.1 + 1.0));
    let psi: f64 = kinds
        .iter()
        .map(|it| {
            let (p, q) = ((it.0 + 1.0) / now, (it.1 + 1.0) / past);
            (p - q) * (p / q).ln()
        })
        .sum();
    let told = sql(demo(), "SELECT * FROM quality_column ORDER BY source, column_name");
    let of = |source: &str, name: &str| told.iter().find(|it| it["source"] == source && it["column_name"] == name);
    let kind = of("card_txn", "merchant_kind").expect("a column of codes");
    assert!((number(kind, "psi") - psi).abs() < 1e-4, "{kind}: worked out again it is {psi}");
    assert_eq!(of("card_txn", "amount_fen").expect("a column of numbers")["state"], "ok");
    for it in &told {
        let is_few = number(it, "now_n") < 200.0 || number(it, "past_n") < 800.0;
        assert_eq!((it["psi"].is_null(), it["state"] == "insufficient"), (is_few, is_few), "{it}");
    }
    assert!(told.iter().any(|it| it["state"] == "insufficient"), "no source has few rows");
    // Of keys and of what is closed no spread is told.
    let sources: BTreeSet<&str> = told.iter().filter_map(|it| it["source"].as_str()).collect();
    assert!(
        of("card_txn", "txn_id").is_none() && !sources.contains("visit_sheet") && !sources.contains("aid_payment"),
        "{sources:?}"
    );
}

#[test]
fn fewer_eaten_with_is_told_beside_what_changed_for_the_peers() {
    let newest = "(SELECT max(as_of_on) FROM closed_measure)";
    let told = sql(
        demo(),
        &format!(
            "SELECT told.student_key, told.value, person.study_stage, person.grade, person.college, person.campus \
             FROM closed_measure AS told INNER JOIN dim_student AS person \
             ON person.student_key = told.student_key AND person.as_of_on = told.as_of_on \
             WHERE told.measure = 'isolation_change' AND told.as_of_on = {newest}"
        ),
    );
    // How many pairs everybody is in, counted from the pairs of the two dates.
    let pairs_on = |day: &str| -> BTreeMap<i64, i64> {
        let mut pairs: BTreeMap<i64, i64> = BTreeMap::new();
        for it in sql(demo(), &format!("SELECT u, v FROM closed_edge WHERE as_of_on = {day}")) {
            for end in ["u", "v"] {
                *pairs.entry(it[end].as_i64().expect("a key")).or_default() += 1;
            }
        }
        pairs
    };
    let (now, then) = (pairs_on(newest), pairs_on(&format!("{newest} - INTERVAL '28' DAY")));
    assert!(30 < now.len() && 30 < then.len(), "{} now and {} then are in a pair", now.len(), then.len());
    let fewer = |it: &serde_json::Value| -> f64 {
        let key = it["student_key"].as_i64().expect("a key");
        let of = |pairs: &BTreeMap<i64, i64>| pairs.get(&key).copied().unwrap_or(0);
        (of(&then) - of(&now)) as f64
    };
    // The year, and the college within it; graduates are few in a year.
    let group = |it: &serde_json::Value, is_near: bool| -> String {
        let is_graduate = it["study_stage"] == "graduate";
        let year = if is_graduate { String::new() } else { it["grade"].to_string() };
        let campus = if is_graduate { String::new() } else { it["campus"].to_string() };
        if is_near {
            format!("{} {year} {} {campus}", it["study_stage"], it["college"])
        } else {
            format!("{} {year}", it["study_stage"])
        }
    };
    let middle = |own: &serde_json::Value, is_near: bool| -> Option<f64> {
        let group_of_own = group(own, is_near);
        let mut peers: Vec<f64> = told.iter().filter(|&it| group(it, is_near) == group_of_own).map(fewer).collect();
        peers.sort_by(f64::total_cmp);
        (20 <= peers.len()).then(|| (peers[(peers.len() - 1) / 2] + peers[peers.len() / 2]) / 2.0)
    };
    let mut known = 0;
    for it in &told {
        let expected = middle(it, true).or_else(|| middle(it, false)).map(|usual| fewer(it) - usual.max(0.0));
        assert_eq!(it["value"].as_f64(), expected, "{it}");
        known += usize::from(expected.is_some());
    }
    assert!(100 < known, "{known} of {} are told", told.len());
    assert!(told.iter().any(|it| it["value"].as_f64().is_some_and(|it| 0.0 < it)), "nobody eats with fewer");
}

#[test]
fn a_face_in_one_place_and_a_card_in_another_within_two_minutes_are_told_apart() {
    let input = TempDir::new().expect("a folder");
    copy(campus(), input.path(), &|_| true);
    // Somebody who passed by face: their card is used at the library half a minute later.
    let mut chosen = None;
    for entry in std::fs::read_dir(input.path().join("gate")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !name.starts_with("gate_20251008") {
            continue;
        }
        let text = String::from_utf8_lossy(&output(std::process::Command::new("gzip").arg("-dc").arg(&path)).stdout).into_owned();
        let face = text.lines().find(|it| it.contains("\"face\"") && it.contains("\"G-N")).expect("a passage by face");
        let row: serde_json::Value = serde_json::from_str(face).expect("a line of JSON");
        let at = row["event_ms"].as_i64().expect("an instant");
        let mut card = row.clone();
        card["device_id"] = "G-L1".into();
        card["event_seq"] = 9_000_001.into();
        card["event_ms"] = (at + 30_000).into();
        card["sent_ms"] = (at + 31_000).into();
        card["direction"] = "in".into();
        card["method"] = "card".into();
        let plain = input.path().join("gate").join(name.trim_end_matches(".gz"));
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&plain, format!("{}\n{card}\n", text.trim_end())).expect("a file");
        let packed = output(std::process::Command::new("gzip").arg("-nf").arg(&plain));
        assert!(packed.status.success(), "gzip packs {name}");
        chosen = Some(at);
    }
    assert!(chosen.is_some(), "no gate was read on the day");
    name_two_who_are_silent(&input.path().join("study/attendance_20250928.csv"));
    let data = TempDir::new().expect("a folder");
    run_newest(data.path(), input.path(), NOW);
    let found = "SELECT sum(face_card_n) AS n FROM int_student_day WHERE superseded_on IS NULL";
    let count = |data: &std::path::Path| sql(data, found)[0]["n"].as_i64().expect("a count");
    assert_eq!(count(data.path()), count(built().0.path()) + 1, "the card that was somewhere else is not told");
    // In the same run: whom a teacher saw in class is not looked for, and a code that was scanned hides nobody.
    let (before, after) = (without_trace(built().0.path()), without_trace(data.path()));
    let seen: Vec<i64> = before.difference(&after).copied().collect();
    assert_eq!(seen, before.iter().take(1).copied().collect::<Vec<_>>(), "{before:?} {after:?}");
    assert!(after.is_subset(&before) && !after.is_empty(), "{before:?} {after:?}");
}

/// Who is found without a trace on one Monday.
fn without_trace(data: &std::path::Path) -> BTreeSet<i64> {
    let query = "SELECT student_key FROM warning_candidate WHERE rule = 'no_trace' AND as_of_on = DATE '2025-09-29'";
    sql(data, query).iter().filter_map(|it| it["student_key"].as_i64()).collect()
}

/// Notes on the day before that Monday two who leave no trace as present: one by a teacher, one by a code that was scanned.
fn name_two_who_are_silent(roll: &std::path::Path) {
    // The register lists students in the order of the truth.
    let truth = std::fs::read_to_string(campus().join("truth/students.csv")).expect("the students");
    let numbers = truth.lines().skip(1).filter_map(|it| it.split(',').next());
    let keys = sql(built().0.path(), "SELECT student_key FROM raw_student ORDER BY row_no");
    let number_of: BTreeMap<i64, &str> = keys.iter().map(|it| it["student_key"].as_i64().expect("a key")).zip(numbers).collect();
    let silent: Vec<&str> = without_trace(built().0.path()).iter().map(|key| number_of[key]).collect();
    assert!(2 <= silent.len(), "nobody to tell apart: {silent:?}");
    let told = std::fs::read_to_string(roll).expect("the roll of a day");
    let section = told.lines().nth(1).and_then(|it| it.split(',').nth(1)).expect("a section");
    let present = |no: usize, number: &str, how: &str| format!("KQ250928SEEN{no},{section},{number},2025-09-28 16:00,出勤,{how}");
    let more = [present(1, silent[0], "点名"), present(2, silent[1], "扫码")].join("\n");
    std::fs::write(roll, format!("{}\n{more}\n", told.trim_end())).expect("a file");
}

#[test]
fn a_school_with_cards_only_has_portraits_that_say_what_is_missing() {
    let input = TempDir::new().expect("a folder");
    let is_there = |it: &str| it.starts_with("card_2") || it == "student.xlsx" || it.starts_with("data_use_approval");
    copy(campus(), input.path(), &is_there);
    let data = TempDir::new().expect("a folder");
    run_newest(data.path(), input.path(), NOW);
    let newest = "as_of_on = (SELECT max(as_of_on) FROM feat_measure)";
    let found = sql(
        data.path(),
        &format!("SELECT measure, count(*) AS n, count(value) AS known_n FROM feat_measure WHERE {newest} GROUP BY measure"),
    );
    let known: BTreeMap<&str, (i64, i64)> = found
        .iter()
        .map(|it| (it["measure"].as_str().expect("a word"), (it["n"].as_i64().expect("n"), it["known_n"].as_i64().expect("n"))))
        .collect();
    // No device reports, but on every day somebody paid: meals are known, and what gates and libraries would say is not.
    for measure in ["meals_per_day", "canteen_spend", "meal_price", "breakfast_rate"] {
        assert!(known.get(measure).is_some_and(|it| 200 < it.1), "{measure} is not known: {known:?}");
    }
    for measure in ["library_hours", "library_in_n", "gate_anomaly_n"] {
        assert_eq!(known.get(measure).map_or(0, |it| it.1), 0, "{measure} was said without coverage");
    }
    for measure in ["gpa", "activity_n", "ticket_n", "evening_return", "class_attendance_rate"] {
        assert!(!known.contains_key(measure) || known[measure].1 == 0, "{measure} was made of nothing");
    }
    let portraits = sql(
        data.path(),
        "SELECT count(*) AS n, max(known_n) AS known_n FROM portrait_student WHERE as_of_on = (SELECT max(as_of_on) FROM portrait_student)",
    );
    let here = sql(data.path(), "SELECT count(*) AS n FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student)");
    assert!(Some(300) <= here[0]["n"].as_i64(), "{here:?}");
    assert_eq!(portraits[0]["n"], here[0]["n"], "everybody has a portrait, however little is known");
    assert!(sql(data.path(), "SELECT * FROM warning_student").is_empty(), "missing data is never guilt");
}

#[test]
fn a_measure_of_the_future_or_of_an_outcome_is_refused() {
    for (name, query, word) in [
        (
            "raw",
            "SELECT student_key, count(*) AS value, count(*) AS n, 1.0 AS cov FROM raw_card_txn GROUP BY student_key",
            "known",
        ),
        ("closed", "SELECT student_key, 1 AS value, 1 AS n, 1.0 AS cov FROM stg_aid_status WHERE level = 'severe'", "closed"),
        (
            "joined",
            "SELECT dim_student.student_key, 1 AS value, 1 AS n, 1.0 AS cov FROM dim_student \
             INNER JOIN stg_aid_status ON stg_aid_status.student_key = dim_student.student_key AND stg_aid_status.level = 'severe' \
             WHERE dim_student.as_of_on = $as_of",
            "closed",
        ),
        ("clock", "SELECT student_key, 1 AS value, 1 AS n, 1.0 AS cov FROM stg_student WHERE occurred_at < now()", "as_of"),
    ] {
        let project = TempDir::new().expect("a folder");
        std::fs::write(project.path().join("yizhan.toml"), "packs = [\"campus\"]\n").expect("a file");
        std::fs::create_dir_all(project.path().join("sql/measures")).expect("a folder");
        let text = format!(
            "/*---\nkind = \"measure\"\nabout = \"Leak.\"\ntitle_zh = \"泄漏\"\ntitle_en = \"Leak\"\nowner = \"nobody\"\nsubject = \"student_key\"\n\
             purpose = [\"portrait\"]\ndimension = \"life\"\nunit = \"count\"\nwindow = \"28d\"\nn_min = 1\ncov_min = 0.0\nmad_floor = 1.0\n\
             class = \"trace\"\n---*/\n\n{query}\n"
        );
        std::fs::write(project.path().join("sql/measures/leak.sql"), text).expect("a file");
        let mut check = std::process::Command::new(binary());
        let out = output(check.args(["check", "--project"]).arg(project.path()).current_dir(repository()));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success(), "{name}: the leak was let in");
        assert!(said.contains(word), "{name}: {said}");
    }
}

/// Rank correlation, ties sharing their middle rank.
fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let rank = |values: Vec<f64>| -> Vec<f64> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let mut ranks = vec![0.0; values.len()];
        let mut at = 0;
        while at < order.len() {
            let same = order[at..].iter().take_while(|it| values[**it] == values[order[at]]).count();
            for it in &order[at..at + same] {
                ranks[*it] = at as f64 + (same as f64 - 1.0) / 2.0;
            }
            at += same;
        }
        ranks
    };
    let (a, b) = (rank(pairs.iter().map(|it| it.0).collect()), rank(pairs.iter().map(|it| it.1).collect()));
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum() };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

#[test]
fn classes_of_another_term_are_not_due() {
    let input = TempDir::new().expect("a folder");
    copy(small(), input.path(), &|_| true);
    let due = || {
        let data = TempDir::new().expect("a folder");
        let registers = ["data_use_approval", "student", "calendar_day", "course_section", "timetable_slot"];
        let mut ingest = yizhan(data.path(), &["ingest", "--now", NOW, "--input"]);
        let (code, _, wrong) = said(ingest.arg(input.path()).args(registers));
        assert_eq!(code, 0, "{wrong}");
        let staged = ["dim_student", "stg_calendar_day", "stg_course_section", "stg_timetable_slot"];
        let (code, _, wrong) = said(yizhan(data.path(), &["transform", "--now", NOW, "--select"]).args(staged));
        assert_eq!(code, 0, "{wrong}");
        let query = "SELECT student_key, slot_n, evening_n FROM int_student_timetable ORDER BY student_key";
        let (code, rows, wrong) = said(&mut yizhan(data.path(), &["sql", query, "--format", "json", "--now", NOW]));
        assert_eq!(code, 0, "{wrong}");
        rows
    };
    let running = due();
    assert!(!running.is_empty() && running.iter().all(|it| it["slot_n"].as_i64().is_some_and(|it| 0 < it)), "{running:?}");
    // The registers give the coming term too, with a timetable of its own.
    for (name, term_at) in [("course_section", Some(4)), ("timetable_slot", None)] {
        let path = input.path().join(format!("study/{name}.csv"));
        let text = std::fs::read_to_string(&path).expect("an export");
        let coming = text.lines().skip(1).filter(|it| !it.trim().is_empty()).map(|line| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            cells[0] += "-B";
            if let Some(at) = term_at {
                "2025-2026-2".clone_into(&mut cells[at]);
            }
            cells.join(",") + "\n"
        });
        let coming: String = coming.collect();
        std::fs::write(&path, format!("{}\n{coming}", text.trim_end())).expect("written");
    }
    assert_eq!(due(), running);
}

//! What students choose about themselves: social measures are left and joined again, and with them who they were near.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::care::with_accounts;
use crate::cases::Desk;
use crate::serve::{Document, Server};
use crate::support::{copy, demo, run, said, sql, yizhan};

const EDGES: &str = "as_of_on = (SELECT max(as_of_on) FROM closed_edge)";
const MEASURES: &str = "as_of_on = (SELECT max(as_of_on) FROM closed_measure)";

/// Social measures of a student that have a value on the newest Monday.
fn social_n(data: &std::path::Path, key: i64) -> usize {
    let query = format!(
        "SELECT measure FROM closed_measure WHERE {MEASURES} AND student_key = {key} AND value IS NOT NULL AND measure IN \
         ('social_degree', 'meal_alone_ratio', 'company_turnover', 'isolation_change', 'activity_company', 'roommate_presence')"
    );
    sql(data, &query).len()
}

/// Pairs of a student on the newest Monday.
fn edges_n(data: &std::path::Path, key: i64) -> usize {
    sql(data, &format!("SELECT u FROM closed_edge WHERE {EDGES} AND (u = {key} OR v = {key})")).len()
}

/// Takes choices in on an evening: a date is told by what was known when its day began.
fn take_in(data: &std::path::Path, now: &str) {
    let (code, _, wrong) = said(yizhan(data, &["ingest", "social_choice", "--now", now, "--input"]).arg(data.join("exports")));
    assert_eq!(code, 0, "{wrong}");
}

#[test]
fn who_objects_is_in_no_pair_and_has_no_social_measure_until_they_join_again() {
    // Somebody with the most company, who sees their own portrait.
    let most = format!(
        "SELECT student_key, count(*) AS n FROM (SELECT u AS student_key FROM closed_edge WHERE {EDGES} \
         UNION ALL SELECT v FROM closed_edge WHERE {EDGES}) AS tie GROUP BY student_key ORDER BY n DESC, student_key LIMIT 1"
    );
    let key = sql(demo(), &most)[0]["student_key"].as_i64().expect("somebody eats with others");
    let data = with_accounts(&[("chooser", Some(key), &["student:own"])]);
    assert!(0 < edges_n(data.path(), key) && 3 <= social_n(data.path(), key), "too little company to tell");

    let mut server = Server::on(data, &["demo", "--students", "300", "--days", "61"]);
    let document = Document::of(&server);
    let chooser = Desk::of(&server, &document, "chooser");
    let psychologist = Desk::of(&server, &document, "psychologist");
    assert_eq!(chooser.get("/me/choices", "/me/choices")["social"], json!({ "has_left": false, "at": null }));
    let portrait = || {
        let body = psychologist.get("/students/{student_key}/portrait", &format!("/students/{key}/portrait"));
        let dimension = body["dimensions"].as_array().expect("dimensions").iter().find(|it| it["dimension"] == "social");
        dimension.expect("social measures")["measures"].as_array().expect("measures").clone()
    };
    let known = |measures: &[Value]| measures.iter().filter(|it| it["status"] == "ok").count();
    assert!(3 <= known(&portrait()));
    // Who ate with the student most often: not alone for what the other chooses.
    let partner = format!(
        "SELECT CASE WHEN u = {key} THEN v ELSE u END AS n FROM closed_edge WHERE {EDGES} AND (u = {key} OR v = {key}) ORDER BY weight DESC LIMIT 1"
    );
    let partner = sql(demo(), &partner)[0]["n"].as_i64().expect("somebody");
    let lineage = format!("/api/v1/students/{key}/lineage/social_degree");
    let head = server.login("psychology_head");
    assert_eq!(server.get(&lineage, Some(&head)).status, 200);
    // The rows behind a figure, of events and of a state, are found again by what the API says, and no others.
    let newest = "as_of_on = (SELECT max(as_of_on) FROM feat_measure)";
    let graded = format!(
        "SELECT called.student_key FROM feat_measure AS called INNER JOIN feat_measure AS graded ON graded.student_key = called.student_key \
         WHERE called.{newest} AND graded.{newest} AND called.measure = 'class_attendance_rate' AND graded.measure = 'grade_residual' \
         AND called.value IS NOT NULL AND graded.value IS NOT NULL ORDER BY called.student_key LIMIT 1"
    );
    let graded = sql(demo(), &graded)[0]["student_key"].as_i64().expect("somebody with marks and classes");
    for (measure, table, own) in [
        ("class_attendance_rate", "stg_class_attendance", "state <> 'leave'"),
        ("grade_residual", "stg_grade_record", "exam_kind = 'final'"),
    ] {
        let answer = server.get(&format!("/api/v1/students/{graded}/lineage/{measure}"), Some(&head));
        assert_eq!(answer.status, 200, "{measure}: {}", answer.body);
        let tables = answer.body["tables"].as_array().expect("tables");
        let filter = |name: &str| tables.iter().find(|it| it["table"] == name).and_then(|it| it["filter"].as_str());
        let told = filter(table).unwrap_or_else(|| panic!("no way to the rows of {table}: {tables:?}"));
        let rows = sql(demo(), &format!("SELECT count(*) AS n FROM {table} WHERE {told} AND {own}"));
        assert_eq!(rows[0]["n"].as_f64(), answer.body["n"].as_f64(), "{measure}: {told}");
        assert!(rows[0]["n"].as_i64().is_some_and(|it| 0 < it), "{measure} is made of nothing");
    }
    let left = chooser.post("/me/choices", "/me/choices", &json!({ "has_left": true }));
    assert_eq!(left["social"]["has_left"], true);
    let again = chooser.post("/me/choices", "/me/choices", &json!({ "has_left": true }));
    assert_eq!(again, left, "chosen twice, kept once");
    // At once nothing is shown, and it is said why; a psychologist cannot choose for the student.
    let after = portrait();
    assert_eq!(known(&after), 0);
    assert!(after.iter().all(|it| it["reason_zh"] == "本人已选择退出" && it["history"] == json!([])), "{after:?}");
    // Of earlier dates neither, whichever way it is asked for.
    assert_eq!(server.get(&lineage, Some(&head)).status, 404);
    let cookie = server.login("psychologist");
    let refused = server.post("/api/v1/me/choices", &[("x-yizhan", "1"), ("cookie", &cookie)], &json!({ "has_left": true }));
    assert_eq!(refused.status, 403);
    server.stop();

    // The next Monday: others still have their pairs and measures, this student is in none.
    let data = server.data.path().to_owned();
    let exports = data.join("exports");
    let kept = format!("SELECT count(*) AS n FROM closed_measure WHERE student_key = {key} AND measure = 'social_degree'");
    assert!(0 < sql(&data, &kept)[0]["n"].as_i64().expect("a count"), "what was written stays, behind the policy");
    let (code, seen, wrong) = said(&mut yizhan(&data, &["sql", &kept, "--as", "psychology_head", "--format", "json"]));
    assert_eq!((code, &seen[0]["n"]), (0, &json!(0)), "{wrong}");
    let others = |at: &str| sql(&data, &format!("SELECT count(*) AS n FROM {at}"))[0]["n"].as_i64().expect("a count");
    take_in(&data, "2025-11-02T20:00:00+08:00");
    run(&data, &exports, "2025-11-03T05:10:00+08:00");
    let newest = sql(&data, "SELECT CAST(max(as_of_on) AS VARCHAR) AS d FROM closed_edge")[0]["d"].clone();
    assert_eq!(newest, "2025-11-03");
    assert_eq!((edges_n(&data, key), social_n(&data, key)), (0, 0));
    assert!(30 < others(&format!("closed_edge WHERE {EDGES}")), "nobody has any company left");

    // Meals beside who left are no meals alone: they are not counted at all.
    let of_partner = |query: &str| sql(&data, query)[0]["n"].as_f64().expect("a count");
    let all = of_partner(&format!("SELECT count(DISTINCT meal) AS n FROM closed_swipe WHERE student_key = {partner}"));
    let counted =
        format!("SELECT n FROM closed_measure WHERE {MEASURES} AND student_key = {partner} AND measure = 'meal_alone_ratio'");
    assert!(of_partner(&counted) < all, "{} of {all} meals", of_partner(&counted));

    // Joined again: from the next Monday on as before.
    let later = TempDir::new().expect("a folder");
    copy(&data, later.path(), &|_| true);
    let mut server = Server::on(later, &["demo", "--students", "300", "--days", "61"]);
    let chooser = Desk::of(&server, &document, "chooser");
    let joined = chooser.post("/me/choices", "/me/choices", &json!({ "has_left": false }));
    assert_eq!(joined["social"]["has_left"], false);
    server.stop();
    let data = server.data.path();
    take_in(data, "2025-11-09T20:00:00+08:00");
    run(data, &data.join("exports"), "2025-11-10T05:10:00+08:00");
    assert!(0 < edges_n(data, key) && 0 < social_n(data, key), "who joins again is in the figures again");
    assert_eq!(sql(data, "SELECT choice FROM raw_social_choice ORDER BY choice_no").len(), 2);
}

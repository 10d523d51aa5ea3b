//! Who stands in the register without studying here: a place kept, left, graduated, extended, died; and who is a minor.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{demo, sql, tables};

fn word(it: &Value) -> String {
    it.as_str().expect("a word").to_owned()
}

#[test]
fn who_has_left_is_counted_no_more_from_their_day_and_who_keeps_a_place_is_not_looked_for() {
    let data = demo();
    let manifest = std::fs::read_to_string(data.join("exports/truth/manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&manifest).expect("a manifest in JSON");
    let planted = manifest["planted"]["on_paper"].as_array().expect("planted");
    // They stand at the end of the register, in the order of the truth, and no row of it is refused.
    let rows = sql(data, "SELECT student_key, status FROM raw_student ORDER BY row_no");
    let (_, last) = rows.split_at(rows.len() - planted.len());
    let dates = sql(data, "SELECT DISTINCT as_of_on FROM dim_student ORDER BY 1");
    let dates: Vec<&str> = dates.iter().filter_map(|it| it["as_of_on"].as_str()).collect();
    let of_students = "SELECT table_name FROM information_schema.columns WHERE column_name = 'student_key'";
    let of_students: BTreeSet<String> = sql(data, of_students).iter().map(|it| word(&it["table_name"])).collect();
    let is_looked_at =
        |it: &String| it.starts_with("list_") || ["warning_candidate", "warning_student", "fct_night"].contains(&it.as_str());
    let lists: Vec<String> = tables(data).into_iter().filter(|it| is_looked_at(it) && of_students.contains(it)).collect();
    assert!(5 < lists.len(), "{lists:?}");
    // A list of what holds now has no dates.
    let dated = sql(data, "SELECT table_name FROM information_schema.columns WHERE column_name = 'as_of_on'");
    let dated: BTreeSet<String> = dated.iter().map(|it| word(&it["table_name"])).collect();
    let newest = dates.last().expect("a date");
    let (mut before_n, mut kinds) = (0, BTreeSet::new());
    for (it, row) in planted.iter().zip(last) {
        let (kind, from) = (it["kind"].as_str().expect("a kind"), it["from"].as_str().expect("a day"));
        assert_eq!(row["status"], kind, "{it}");
        kinds.insert(kind);
        let key = row["student_key"].as_i64().expect("a key");
        let found = sql(data, &format!("SELECT as_of_on, status, is_enrolled FROM dim_student WHERE student_key = {key}"));
        let on = |date: &str| found.iter().find(|it| it["as_of_on"] == date);
        for date in &dates {
            let expected = match kind {
                _ if *date <= from => Some(("enrolled", true)),
                "extended" => Some((kind, true)),
                "retained" => Some((kind, false)),
                _ => None,
            };
            let is = on(date).map(|it| (it["status"].as_str().expect("a status"), it["is_enrolled"] == true));
            assert_eq!(is, expected, "{kind} since {from}, on {date}");
            before_n += usize::from(*date <= from);
        }
        // A register may only tell the next day what began on one: lists and offers of the days behind it.
        if kind != "extended" {
            let counts = lists.iter().map(|table| {
                let on = if dated.contains(table) { "as_of_on".to_owned() } else { format!("DATE '{newest}'") };
                format!("SELECT '{table}' AS t FROM {table} WHERE student_key = {key} AND {on} > DATE '{from}'")
            });
            let query = counts.collect::<Vec<_>>().join(" UNION ALL ");
            assert_eq!(sql(data, &query), Vec::<Value>::new(), "{kind} stands where nobody looks for them");
        }
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    assert!(0 < before_n, "nobody was here before they left: the case proves nothing");
}

#[test]
fn who_is_a_minor_is_told_to_the_closed_compartment_only() {
    let data = demo();
    let flagged = sql(data, "SELECT student_key FROM stg_student WHERE is_minor = 'yes' AND superseded_at IS NULL ORDER BY 1");
    let newest = "as_of_on = (SELECT max(as_of_on) FROM closed_minor)";
    let minors = sql(data, &format!("SELECT student_key FROM closed_minor WHERE {newest} ORDER BY 1"));
    assert!(!minors.is_empty() && flagged == minors, "{flagged:?} {minors:?}");
    // Beside the register's own tables no table has a column for it.
    let query =
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE column_name IN ('is_minor', 'born_on') ORDER BY 1";
    let known: Vec<String> = sql(data, query).iter().map(|it| word(&it["table_name"])).collect();
    assert_eq!(known, ["raw_student", "stg_student"], "who is a minor is told elsewhere");
}

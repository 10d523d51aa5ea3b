//! What the simulator planted against what the platform says: who is offered attention, and who must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{copy, demo, run, sql};

/// The demonstration's lake beside its truth.
struct Truth {
    data: &'static Path,
    manifest: Value,
    keys: BTreeMap<String, i64>,
}

impl Truth {
    fn new() -> Self {
        let data = demo();
        let truth = data.join("exports/truth");
        let manifest = std::fs::read_to_string(truth.join("manifest.json")).expect("a manifest");
        let manifest = serde_json::from_str(&manifest).expect("a manifest in JSON");
        // The register lists students in the order of the truth, and no row of it is refused.
        let numbers = std::fs::read_to_string(truth.join("students.csv")).expect("the students");
        let numbers = numbers.lines().skip(1).filter_map(|it| it.split(',').next());
        let rows = sql(data, "SELECT student_key FROM raw_student ORDER BY row_no");
        let keys = numbers.zip(rows).map(|(number, row)| (number.to_owned(), row["student_key"].as_i64().expect("a key")));
        Self { data, manifest, keys: keys.collect() }
    }

    /// Students of a planted story.
    fn planted(&self, story: &str) -> BTreeSet<i64> {
        let told = self.manifest["planted"][story].as_array().unwrap_or_else(|| panic!("no story {story}"));
        let number = |it: &Value| it["student"].as_str().or(it.as_str()).map(str::to_owned);
        let found: BTreeSet<i64> = told.iter().filter_map(number).map(|it| self.keys[&it]).collect();
        assert!(!found.is_empty(), "nobody was planted for {story}");
        found
    }

    fn students(&self, query: &str) -> BTreeSet<i64> {
        sql(self.data, query).iter().filter_map(|it| it["student_key"].as_i64()).collect()
    }
}

#[test]
fn nobody_without_a_trace_is_missed_and_nobody_explained_is_found() {
    let truth = Truth::new();
    let last = sql(truth.data, "SELECT CAST(max(as_of_on) AS VARCHAR) AS as_of_on FROM portrait_student")[0]["as_of_on"].clone();
    let last = last.as_str().expect("a date");
    let mut looked_at = 0;
    for (story, is_found) in
        [("no_trace", true), ("no_trace_leave", false), ("no_trace_lost_card", false), ("no_trace_outage", false)]
    {
        for it in truth.manifest["planted"][story].as_array().expect("stories") {
            let word = |name: &str| it[name].as_str().expect("text");
            // On the last day of the story, or the last that there is.
            let on = word("to").min(last);
            // Two whole days: a day and a half of silence is what the rule waits for.
            if days_between(word("from"), on) < 2 {
                continue;
            }
            let key = truth.keys[word("student")];
            let query = format!("SELECT student_key FROM warning_student WHERE rule = 'no_trace' AND as_of_on = DATE '{on}'");
            let found = truth.students(&query);
            assert_eq!(found.contains(&key), is_found, "{story}: {it}; found on {on} were {found:?}, this is {key}");
            looked_at += 1;
        }
    }
    assert!(3 <= looked_at, "only {looked_at} stories were looked at");
}

#[test]
fn a_script_that_checks_in_every_evening_hides_nobody() {
    let truth = Truth::new();
    let numbers = std::fs::read_to_string(truth.data.join("exports/truth/students.csv")).expect("the students");
    let bots: BTreeSet<&str> = numbers.lines().filter(|it| it.ends_with(",true")).filter_map(|it| it.split(',').next()).collect();
    let (mut sent, mut looked_at) = (0, 0);
    let last = sql(truth.data, "SELECT CAST(max(as_of_on) AS VARCHAR) AS as_of_on FROM portrait_student")[0]["as_of_on"].clone();
    let last = last.as_str().expect("a date");
    for it in truth.manifest["planted"]["no_trace"].as_array().expect("stories") {
        let word = |name: &str| it[name].as_str().expect("text");
        let on = word("to").min(last);
        if !bots.contains(word("student")) || days_between(word("from"), on) < 2 {
            continue;
        }
        let key = truth.keys[word("student")];
        let nights = format!("occurred_on >= DATE '{}' AND occurred_on < DATE '{on}'", word("from"));
        let during = format!("student_key = {key} AND place = 'dorm' AND {nights}");
        sent += sql(truth.data, &format!("SELECT checkin_id FROM stg_self_checkin WHERE {during}")).len();
        let query = format!("SELECT student_key FROM warning_student WHERE rule = 'no_trace' AND as_of_on = DATE '{on}'");
        assert!(truth.students(&query).contains(&key), "{it} checked in by script and is not found on {on}");
        looked_at += 1;
    }
    assert!(0 < sent && 0 < looked_at, "{sent} check-ins of {looked_at} silent students");
    // The list is of one night, and of those whom the gates saw going out: a silent student whose last passage was an entry
    // may lie ill in bed and check in honestly.
    let rows = sql(
        truth.data,
        "SELECT student_key, CAST(as_of_on AS VARCHAR) AS as_of_on, CAST(night_on AS VARCHAR) AS night_on FROM list_checkin_conflict",
    );
    let listed: BTreeSet<i64> = rows.iter().filter_map(|it| it["student_key"].as_i64()).collect();
    let of_tonight = |it: &&Value| it["as_of_on"].as_str().is_some_and(|it| it.starts_with(last));
    let tonight: BTreeSet<i64> = rows.iter().filter(of_tonight).filter_map(|it| it["student_key"].as_i64()).collect();
    let query = format!("SELECT CAST(CAST(DATE '{last}' - INTERVAL '1' DAY AS DATE) AS VARCHAR) AS night_on");
    let night = sql(truth.data, &query)[0]["night_on"].as_str().expect("a date").to_owned();
    let nights = truth.manifest["planted"]["overnight_absence"].as_array().expect("nights");
    let away: BTreeSet<i64> = nights
        .iter()
        .filter(|it| it["date"] == night.as_str())
        .filter_map(|it| Some(truth.keys[it["student"].as_str()?]))
        .collect();
    let sent = truth
        .students(&format!("SELECT student_key FROM stg_self_checkin WHERE place = 'dorm' AND occurred_on = DATE '{night}'"));
    let senders: BTreeSet<i64> = away.intersection(&sent).copied().collect();
    assert!(!senders.is_empty() && senders.is_subset(&tonight), "{senders:?} sent on {night} while away, listed are {tonight:?}");
    let honest: BTreeSet<i64> = truth.keys.iter().filter(|it| !bots.contains(it.0.as_str())).map(|it| *it.1).collect();
    // Who comes in behind somebody else is seen by no gate: of three hundred honest students hardly one an evening.
    assert!(100 < sent.intersection(&honest).count(), "hardly anybody honest checked in on {night}");
    let wrong: Vec<_> = tonight.intersection(&honest).collect();
    assert!(wrong.len() <= 1, "{} of {} listed for {night} were honest: {wrong:?}", wrong.len(), tonight.len());
    let nights_n = rows.iter().filter_map(|it| it["night_on"].as_str()).collect::<BTreeSet<_>>().len();
    let wrong_n = rows.iter().filter(|it| it["student_key"].as_i64().is_some_and(|it| honest.contains(&it))).count();
    assert!(wrong_n <= nights_n, "{wrong_n} of {} check-ins listed in {nights_n} nights were honest", rows.len());
    let wrong: Vec<_> = listed.intersection(&honest).collect();
    assert!(2 * wrong.len() <= listed.len(), "{} of {} listed students were honest", wrong.len(), listed.len());
}

#[test]
fn nights_away_are_those_that_were_planted() {
    let truth = Truth::new();
    let said: BTreeSet<(i64, String)> =
        sql(truth.data, "SELECT student_key, night_on FROM fct_night WHERE night_state = 'absent'")
            .iter()
            .filter_map(|it| Some((it["student_key"].as_i64()?, it["night_on"].as_str()?.to_owned())))
            .collect();
    let nights = truth.manifest["planted"]["overnight_absence"].as_array().expect("nights");
    let planted: BTreeSet<(i64, String)> =
        nights.iter().filter_map(|it| Some((truth.keys[it["student"].as_str()?], it["date"].as_str()?.to_owned()))).collect();
    let nights: BTreeSet<String> = sql(truth.data, "SELECT DISTINCT night_on FROM fct_night")
        .iter()
        .filter_map(|it| Some(it["night_on"].as_str()?.to_owned()))
        .collect();
    let due: BTreeSet<_> = planted.iter().filter(|it| nights.contains(&it.1)).cloned().collect();
    let wrong: Vec<_> = said.difference(&planted).collect();
    let silent: BTreeSet<i64> = truth.planted("no_trace").into_iter().chain(truth.planted("silence_other")).collect();
    // Who left no trace was away too, which is a story of its own.
    let wrong: Vec<_> = wrong.into_iter().filter(|it| !silent.contains(&it.0)).collect();
    let found = due.intersection(&said).count();
    println!("{} nights planted, {found} found; {} said that were not planted: {wrong:?}", due.len(), wrong.len());
    assert!(10 * found >= 9 * due.len(), "{found} of {} planted nights were found", due.len());
    assert!(20 * wrong.len() <= said.len(), "{} of {} nights away were none: {wrong:?}", wrong.len(), said.len());
}

#[test]
fn an_outage_makes_nobody_absent() {
    let truth = Truth::new();
    const HOUR_MS: i64 = 3_600_000;
    let mut looked_at = 0;
    for outage in truth.manifest["outages"].as_array().expect("outages") {
        let device = outage["device_id"].as_str().expect("a device");
        let Some(building) = device.strip_prefix("G-").and_then(|it| it.split_once('-')).map(|it| it.0) else { continue };
        let at = |name: &str| outage[name].as_i64().expect("an instant") + 8 * HOUR_MS;
        let (begins, ends) = (at("from_ms"), at("to_ms"));
        if outage["kind"] != "lost" {
            continue;
        }
        // The campus day begins at four in the morning, its evening at six, and the gates matter until two.
        let day = |at: i64| (at - 4 * HOUR_MS).div_euclid(24 * HOUR_MS);
        for day in day(begins)..=day(ends) {
            let evening = (24 * day + 18) * HOUR_MS;
            if ends.min(evening + 8 * HOUR_MS) - begins.max(evening) < 4 * HOUR_MS {
                continue;
            }
            let night = date(day);
            let query = format!(
                "SELECT count(*) AS n, sum(CASE WHEN night_state = 'absent' THEN 1 ELSE 0 END) AS absent \
                 FROM fct_night WHERE building_id = '{building}' AND night_on = DATE '{night}'"
            );
            let row = &sql(truth.data, &query)[0];
            // Old nights are kept once a week.
            if row["n"] != 0 {
                assert_eq!(row["absent"], 0, "{device} was out on {night}: {row}");
                looked_at += 1;
            }
        }
    }
    assert!(0 < looked_at, "no night of an outage was looked at");
}

#[test]
fn a_holiday_makes_nobody_absent() {
    let truth = Truth::new();
    let row = &sql(
        truth.data,
        "SELECT count(*) AS n, sum(CASE WHEN night_state = 'absent' THEN 1 ELSE 0 END) AS absent \
         FROM fct_night JOIN stg_calendar_day ON date = night_on WHERE kind IN ('holiday', 'vacation')",
    )[0];
    assert!(0 < row["n"].as_i64().unwrap_or_default(), "no night of a holiday was looked at");
    assert_eq!(row["absent"], 0, "{row}");
}

/// A day number as a date.
fn date(day: i64) -> String {
    let out = sql(demo(), &format!("SELECT CAST(DATE '1970-01-01' + INTERVAL '{day}' DAY AS VARCHAR) AS day"));
    out[0]["day"].as_str().expect("a date").chars().take(10).collect()
}

fn days_between(from: &str, to: &str) -> i64 {
    let out = sql(demo(), &format!("SELECT date_part('epoch', DATE '{to}') - date_part('epoch', DATE '{from}') AS seconds"));
    out[0]["seconds"].as_f64().expect("a number") as i64 / 86_400
}

/// A leave as the newest export that names it has it; times as text that sorts.
struct Paper {
    ends_at: String,
    approved_at: String,
    returned_at: String,
}

/// Days from one date to another.
fn apart(from: &str, to: &str) -> i64 {
    let day = |it: &str| it[..10].parse::<chrono::NaiveDate>().expect("a date");
    (day(to) - day(from)).num_days()
}

/// The leaves of the exports by number, without those that end before they begin.
fn papers(data: &Path) -> BTreeMap<String, Paper> {
    let mut files: Vec<_> =
        std::fs::read_dir(data.join("exports/leave")).expect("leaves").filter_map(|it| Some(it.ok()?.path())).collect();
    files.sort();
    let mut found = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a file");
        for line in text.lines().skip(1) {
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if cells[3] <= cells[4] {
                let paper = Paper { ends_at: cells[4].clone(), approved_at: cells[6].clone(), returned_at: cells[7].clone() };
                found.insert(cells[0].clone(), paper);
            }
        }
    }
    found
}

#[test]
fn a_return_that_no_export_could_have_told_of_is_not_missing() {
    let data = TempDir::new().expect("a folder");
    copy(demo(), data.path(), &|_| true);
    let data = data.path();
    // Four days on, and nothing new has come.
    run(data, &data.join("exports"), "2025-11-05T05:10:00+08:00");
    let papers = papers(data);
    let newest = papers.values().map(|it| &it.approved_at[..10]).max().expect("leaves").to_owned();
    for day in ["2025-10-20", "2025-11-01", "2025-11-05"] {
        let listed = sql(data, &format!("SELECT leave_id FROM list_leave_not_returned WHERE as_of_on = DATE '{day}'"));
        let listed: BTreeSet<&str> = listed.iter().filter_map(|it| it["leave_id"].as_str()).collect();
        // What ended a day before the newest approval that was known, and whose return was reported later or never.
        let until = newest.as_str().min(day);
        let overdue = |it: &Paper| {
            it.ends_at[..10] < *until && (it.returned_at.is_empty() || format!("{day} 04:00").as_str() <= it.returned_at.as_str())
        };
        let expected: BTreeSet<&str> = papers.iter().filter(|it| overdue(it.1)).map(|it| it.0.as_str()).collect();
        // The day of the newest approval itself may be cut either way, to the hour.
        let of_that_day: BTreeSet<&str> =
            papers.iter().filter(|it| apart(&it.1.ends_at, until).abs() <= 1).map(|it| it.0.as_str()).collect();
        assert_eq!(&listed - &of_that_day, &expected - &of_that_day, "{day}");
        // Three hundred students: a handful, and not everybody who came back since the last export.
        assert!(listed.len() <= 12, "{day}: {listed:?}");
    }
    let ended = papers.values().filter(|it| newest.as_str() < &it.ends_at[..10] && &it.ends_at[..10] < "2025-11-04").count();
    assert!(3 < ended, "nobody's leave ended behind the newest export: the case proves nothing");
    let forgotten = papers.values().filter(|it| !it.returned_at.is_empty() && 3 <= apart(&it.ends_at, &it.returned_at)).count();
    assert!(0 < forgotten, "nobody was reminded");
}

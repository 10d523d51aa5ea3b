//! Tests that write small campuses and read the files back, as a stranger would.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use calamine::{Data, Reader as _};
use flate2::read::GzDecoder;

use crate::calendar::{DAWN, DAY, EPOCH_S, date};
use crate::{Config, Manifest, write};

struct Campus {
    folder: tempfile::TempDir,
    manifest: Manifest,
}

fn campus(students: u32, days: u32) -> Campus {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = Config { students, days, seed: 7, out: folder.path().to_owned(), ..Config::default() };
    let manifest = write(&config, &mut |_| {}).expect("a campus");
    Campus { folder, manifest }
}

/// Hash of every file by its path below the root.
fn hashes(root: &Path) -> BTreeMap<PathBuf, blake3::Hash> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("a file");
                found.insert(path.strip_prefix(root).expect("below the root").to_owned(), blake3::hash(&bytes));
            }
        }
    }
    found
}

impl Campus {
    fn files(&self, folder: &str, prefix: &str) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(self.folder.path().join(folder))
            .expect("a folder")
            .map(|it| it.expect("an entry").path())
            .filter(|it| it.file_name().is_some_and(|it| it.to_string_lossy().starts_with(prefix)))
            .collect();
        paths.sort();
        paths
    }

    fn text_lines(&self, folder: &str, prefix: &str) -> Vec<Vec<u8>> {
        let of = |path: PathBuf| -> Vec<Vec<u8>> {
            let bytes = std::fs::read(path).expect("a file");
            let lines = bytes.split(|it| *it == b'\n').map(<[u8]>::to_vec);
            lines.skip(1).filter(|it| !it.is_empty()).collect()
        };
        self.files(folder, prefix).into_iter().flat_map(of).collect()
    }

    fn json_lines(&self, prefix: &str) -> Vec<String> {
        let of = |path: PathBuf| -> Vec<String> {
            let mut text = String::new();
            let file = std::fs::File::open(path).expect("a file");
            GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
            text.lines().map(str::to_owned).collect()
        };
        self.files("gate", prefix).into_iter().flat_map(of).collect()
    }

    fn sheet_rows(&self, folder: &str, prefix: &str) -> Vec<Vec<Data>> {
        let of = |path: PathBuf| -> Vec<Vec<Data>> {
            let mut book: calamine::Xlsx<_> = calamine::open_workbook(path).expect("a workbook");
            let sheet = book.worksheet_range_at(0).expect("a sheet").expect("a readable sheet");
            sheet.rows().skip(1).map(<[Data]>::to_vec).collect()
        };
        self.files(folder, prefix).into_iter().flat_map(of).collect()
    }

    /// Student number and second of every readable passage and payment, each once.
    fn evidence(&self) -> BTreeSet<(String, i64)> {
        let mut found = BTreeSet::new();
        for line in self.json_lines("gate_") {
            let Ok(row) = serde_json::from_str::<serde_json::Value>(&line) else {
                continue;
            };
            if let (Some(person), Some(at)) = (row["person_id"].as_str(), row["event_ms"].as_i64()) {
                found.insert((person.to_owned(), at / 1000 - EPOCH_S));
            }
        }
        for line in self.text_lines("card", "card_2") {
            let text = encoding_rs::GB18030.decode(&line).0.into_owned();
            let parts: Vec<&str> = text.trim_end().split(',').collect();
            let at = chrono::NaiveDateTime::parse_from_str(parts[6], "%Y/%m/%d %H:%M:%S");
            if let Ok(at) = at {
                let first = date(0).and_hms_opt(0, 0, 0).expect("midnight");
                found.insert((parts[1].to_owned(), (at - first).num_seconds()));
            }
        }
        found
    }
}

fn day_index(text: &str) -> i64 {
    (text.parse::<chrono::NaiveDate>().expect("a date") - date(0)).num_days()
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let (one, two) = (campus(60, 10), campus(60, 10));
    assert_eq!(one.manifest, two.manifest);
    let (one, two) = (hashes(one.folder.path()), hashes(two.folder.path()));
    assert!(40 < one.len(), "{} files", one.len());
    assert_eq!(one, two);
}

#[test]
fn one_more_day_changes_nothing_written_before() {
    for days in [10, 13, 14, 20, 30] {
        let (short, long) = (campus(60, days), campus(60, days + 1));
        let (short, long) = (hashes(short.folder.path()), hashes(long.folder.path()));
        let last_week = days / 7 * 7;
        let on = |day: u32| date(day as i32 - 1).format("%Y%m%d").to_string();
        for (path, hash) in short {
            let text = path.to_string_lossy().into_owned();
            let is_dated = text.bytes().filter(u8::is_ascii_digit).count() >= 8 && text.contains("_20");
            let is_daily = text.starts_with("card/card_2") || text.starts_with("gate/") || text.starts_with("study/attendance");
            let is_weekly = is_dated && !is_daily && !text.contains("grade_20");
            let is_whole_week = (1..=last_week / 7).any(|week| text.contains(&on(week * 7)));
            let grows = ["calendar", "card_status", "student_identifier", "holiday_stay", "duty_roster", "internship"];
            let is_fixed = !is_dated && !text.starts_with("truth/") && !grows.iter().any(|it| text.contains(it));
            if is_daily || is_fixed || (is_weekly && is_whole_week) {
                assert_eq!(Some(&hash), long.get(&path), "{text} of {days} days");
            }
        }
    }
}

#[test]
fn the_manifest_counts_what_is_in_the_files() {
    let it = campus(200, 24);
    let rows = |pipeline: &str| it.manifest.rows[pipeline] as usize;
    assert_eq!(rows("card_txn"), it.text_lines("card", "card_2").len());
    assert_eq!(rows("card_status"), it.text_lines("card", "card_status").len());
    assert_eq!(rows("gate_event"), it.json_lines("gate_").len());
    assert_eq!(rows("device_heartbeat"), it.json_lines("heartbeat_").len());
    assert_eq!(rows("leave_record"), it.text_lines("leave", "leave_").len());
    assert_eq!(rows("ticket_event"), it.text_lines("ticket", "ticket_event_").len());
    assert_eq!(rows("night_check"), it.text_lines("dorm", "night_check_").len());
    assert_eq!(rows("class_attendance"), it.text_lines("study", "attendance_").len());
    assert_eq!(rows("activity_attendance"), it.text_lines("activity", "attendance_").len());
    assert_eq!(rows("contact_record"), it.text_lines("duty", "contact_record_").len());
    assert_eq!(rows("ticket"), it.sheet_rows("ticket", "ticket_2").len());
    assert_eq!(rows("student"), it.sheet_rows("registry", "student.").len());
    assert_eq!(rows("staff"), it.sheet_rows("registry", "staff.").len());
    assert_eq!(rows("building"), it.sheet_rows("dorm", "building.").len());
    assert_eq!(rows("room"), it.sheet_rows("dorm", "room.").len());
    assert_eq!(rows("bed_assignment"), it.sheet_rows("dorm", "bed_").len());
    assert_eq!(rows("device"), it.text_lines("gate", "device").len());
    assert_eq!(rows("org_unit"), it.text_lines("registry", "org_unit").len());
    assert_eq!(rows("calendar_day"), it.text_lines("registry", "calendar_day").len());

    let unique = |lines: Vec<Vec<u8>>| lines.into_iter().collect::<BTreeSet<_>>().len();
    let card = it.text_lines("card", "card_2");
    assert_eq!(it.manifest.duplicates["card_txn"] as usize, card.len() - unique(card));
    let gate: Vec<Vec<u8>> = it.json_lines("gate_").into_iter().map(String::into_bytes).collect();
    assert_eq!(it.manifest.duplicates["gate_event"] as usize, gate.len() - unique(gate));
}

#[test]
fn defects_and_late_rows_are_as_many_as_said() {
    let it = campus(200, 24);
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    let mut late = 0;
    let mut count = |reason| *found.entry(reason).or_default() += 1;
    for line in it.json_lines("gate_") {
        let Ok(row) = serde_json::from_str::<serde_json::Value>(&line) else {
            count("json");
            continue;
        };
        let Some(event) = row["event_ms"].as_i64() else {
            count("type");
            continue;
        };
        let sent = row["sent_ms"].as_i64().expect("every row has when it was sent");
        let direction = row["direction"].as_str().expect("every row has a direction");
        match row["person_id"].as_str() {
            None => count("required"),
            Some(person) if !person.bytes().all(|it| it.is_ascii_digit()) => count("person"),
            Some(_) if event < 1_700_000_000_000 => count("time"),
            Some(_) if sent < event => count("rule"),
            Some(_) if direction != "in" && direction != "out" => count("code"),
            Some(_) => late += u64::from(6 * 3_600_000 < sent - event),
        }
    }
    let said: BTreeMap<&str, u64> = it.manifest.defects["gate_event"].iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(found, said);
    assert!(said.len() == 7 && said.values().all(|it| 2 <= *it), "{said:?}");
    assert_eq!(it.manifest.late["gate_event"], late);
    assert!(0 < late);

    let card = &it.manifest.defects["card_txn"];
    assert!(card.len() == 8 && card.values().all(|it| 2 <= *it), "{card:?}");
    let words = ["食堂", "超市", "浴室", "开水", "校车", "图书馆", "网吧"];
    let refused = it.text_lines("card", "card_2").into_iter().filter(|line| {
        let (text, _, is_broken) = encoding_rs::GB18030.decode(line);
        let parts: Vec<&str> = text.trim_end().split(',').collect();
        let amount = parts[4].parse::<f64>().unwrap_or(-1.0);
        let is_clean = !is_broken
            && parts.len() == 7
            && parts[1].len() == 10
            && parts[1].bytes().all(|it| it.is_ascii_digit())
            && words[..6].contains(&parts[3])
            && (0.0..=5000.0).contains(&amount)
            && !parts[6].starts_with("2019")
            && !parts[6].contains("/13/");
        !is_clean
    });
    assert_eq!(refused.count() as u64, card.values().sum::<u64>());
}

#[test]
fn a_campus_without_defects_has_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = Config { students: 60, days: 5, out: folder.path().to_owned(), defects: false, ..Config::default() };
    assert!(write(&config, &mut |_| {}).expect("a campus").defects.is_empty());
}

#[test]
fn the_planted_silent_are_silent_and_the_absent_were_not_there() {
    for days in [20, 23] {
        let it = campus(300, days);
        let evidence = it.evidence();
        let between =
            |student: &str, from: i64, to: i64| evidence.range((student.to_owned(), from)..(student.to_owned(), to)).count();
        let planted = &it.manifest.planted;
        assert!(2 <= planted.no_trace.len(), "{planted:?}");
        assert!(!planted.no_trace_leave.is_empty() && !planted.no_trace_lost_card.is_empty());
        assert_eq!(days == 20, !planted.no_trace_outage.is_empty());
        let now = [&planted.no_trace, &planted.no_trace_leave, &planted.no_trace_lost_card, &planted.no_trace_outage];
        // Clocks of devices are minutes off.
        let slack = 200;
        for episode in now.into_iter().flatten() {
            let from = day_index(&episode.from) * DAY + DAWN;
            assert_eq!(between(&episode.student, from + slack, i64::MAX), 0, "{episode:?}");
            assert_ne!(between(&episode.student, from - 2 * DAY, from), 0, "{episode:?}");
            assert!((2..=4).contains(&(i64::from(days) - day_index(&episode.from))));
        }
        for night in &planted.overnight_absence {
            let at = day_index(&night.date) * DAY;
            assert_eq!(between(&night.student, at + 22 * 3600, at + DAY + DAWN), 0, "{night:?}");
        }
        let last = date(days as i32 - 2).to_string();
        let last = planted.overnight_absence.iter().filter(|it| it.date == last).count();
        assert!(days != 20 || 3 <= last, "{last} in the last night");
    }
}

#[test]
fn who_is_absent_at_night_was_last_seen_going_out() {
    let it = campus(300, 20);
    let mut last: BTreeMap<(&str, &str), (i64, bool)> = BTreeMap::new();
    let rows: Vec<serde_json::Value> = it.json_lines("gate_").iter().filter_map(|it| serde_json::from_str(it).ok()).collect();
    for night in &it.manifest.planted.overnight_absence {
        let closing = (day_index(&night.date) * DAY + 84_600 + EPOCH_S) * 1000;
        for row in &rows {
            let (Some(person), Some(at)) = (row["person_id"].as_str(), row["event_ms"].as_i64()) else {
                continue;
            };
            let is_dorm = row["device_id"].as_str().is_some_and(|it| it.starts_with("G-N"));
            if person != night.student || !is_dorm || closing <= at {
                continue;
            }
            let seen = last.entry((&night.student, &night.date)).or_default();
            *seen = (*seen).max((at, row["direction"] == "in"));
        }
    }
    assert_eq!(last.len(), it.manifest.planted.overnight_absence.len());
    assert!(last.values().all(|it| !it.1), "{last:?}");
}

#[test]
fn a_wrong_size_is_the_callers_to_mend() {
    let config = Config { students: 3, ..Config::default() };
    let error = write(&config, &mut |_| {}).expect_err("three are no campus");
    assert_eq!(error.blame(), schema::Blame::Caller);
    assert_eq!(error.to_string(), "cannot simulate students = 3: it must be between 20 and 90000");
}

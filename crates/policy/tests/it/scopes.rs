//! From a grant to the students it reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use async_trait::async_trait;
use policy::{Cause, Company, Error, Parts, Scoped, Sessions, TableEntry, Tables};

use crate::campus::{
    COUNSELOR, Lake, answer, clock, config, counselor, key, open, policies, principal, sessions_of, student_batch,
};

#[tokio::test]
async fn a_grant_narrows_a_role_and_never_widens_it() {
    let widened = open(principal("clerk", &["university"], None)).await;
    assert_eq!(answer(&widened, "SELECT count(*) FROM dim_student").await, Ok(vec!["6".to_owned()]));
    let elsewhere = open(principal("clerk", &["college:C02"], None)).await;
    assert_eq!(answer(&elsewhere, "SELECT count(*) FROM dim_student").await, Ok(vec!["0".to_owned()]));
}

#[tokio::test]
async fn a_role_of_one_college_is_granted_no_more_than_a_college() {
    let students = "SELECT count(*) FROM dim_student";
    let college = open(principal("college", &["college:C01"], None)).await;
    assert_ne!(answer(&college, students).await, Ok(vec!["0".to_owned()]), "the college has students of the class");
    for scopes in [&["university"][..], &["building:N3"], &["assigned"], &[]] {
        let session = open(principal("college", scopes, Some(COUNSELOR))).await;
        assert_eq!(answer(&session, students).await, Ok(vec!["0".to_owned()]), "{scopes:?}");
        assert!(!session.may_name(key(1)), "{scopes:?}");
        assert_eq!(answer(&session, "SELECT count(*) FROM cockpit_college").await, Ok(vec!["0".to_owned()]), "{scopes:?}");
    }
}

#[tokio::test]
async fn figures_of_a_college_are_those_of_the_account_and_of_no_other() {
    let figures = "SELECT scope, n FROM cockpit_college";
    let college = open(principal("college", &["college:C01"], None)).await;
    assert_eq!(answer(&college, figures).await, Ok(vec!["C01|12".to_owned()]));
    let both = open(principal("college", &["college:C01", "college:C02"], None)).await;
    assert_eq!(answer(&both, figures).await, Ok(vec!["C01|12".to_owned(), "C02|7".to_owned()]));
    assert_ne!(college.policy_hash(), both.policy_hash());
    // What a wider pattern names and a narrower one takes away is not there, and not empty.
    assert!(answer(&college, "SELECT count(*) FROM cockpit_day").await.is_err());
}

#[tokio::test]
async fn rows_held_to_words_are_those_and_no_others() {
    let college = open(principal("college", &["college:C01"], None)).await;
    assert_eq!(answer(&college, "SELECT DISTINCT class FROM dim_student").await, Ok(vec!["软件2301".to_owned()]));
    assert_eq!(college.role().only("dim_student", "class"), Some(&["软件2301".to_owned()][..]));
    assert_eq!(college.role().only("dim_student", "college"), None);
}

#[tokio::test]
async fn a_shift_reaches_whom_it_is_about_and_off_shift_nobody() {
    let names = "SELECT student_key FROM dim_student";
    let on = policy::Principal { on_call: vec![key(3), key(5)], ..principal("night", &["on_call"], Some(COUNSELOR)) };
    let session = open(on).await;
    assert_eq!(answer(&session, names).await.map(|it| it.len()), Ok(2));
    assert!(session.may_name(key(3)) && !session.may_name(key(1)));
    let off = open(principal("night", &["on_call"], Some(COUNSELOR))).await;
    assert_eq!(answer(&off, names).await, Ok(Vec::new()));
    // The keys open nothing to a role that is not on call.
    let other = policy::Principal { on_call: vec![key(9)], ..principal("watcher", &["assigned"], Some(COUNSELOR)) };
    assert!(!open(other).await.may_name(key(9)));
}

#[tokio::test]
async fn a_scope_about_a_person_reaches_nobody_without_one() {
    for scope in ["assigned", "own"] {
        let session = open(principal("watcher", &[scope], None)).await;
        assert_eq!(answer(&session, "SELECT count(*) FROM card").await, Ok(vec!["0".to_owned()]), "{scope}");
    }
}

#[tokio::test]
async fn a_ledger_shows_the_reader_their_own_work_and_nobody_elses() {
    let rooms = "SELECT sum(room_n) FROM ledger_day";
    assert_eq!(answer(&open(counselor()).await, rooms).await, Ok(vec!["18".to_owned()]));
    let colleague = open(principal("watcher", &["university"], Some(COUNSELOR + 1))).await;
    assert_eq!(answer(&colleague, rooms).await, Ok(vec!["3".to_owned()]));
    // An account with nobody behind it did none of it, not even the work of nobody.
    let nobody = open(principal("watcher", &["university"], None)).await;
    assert_eq!(answer(&nobody, "SELECT count(*) FROM ledger_day").await, Ok(vec!["0".to_owned()]));
    assert!(answer(&open(principal("clerk", &[], None)).await, rooms).await.is_err());
    // Whose work is seen is part of what a stored answer hangs on.
    let reaches = |it| principal("watcher", &["university"], Some(it));
    let (one, two) = (open(reaches(COUNSELOR)).await, open(reaches(COUNSELOR + 1)).await);
    assert_ne!(one.policy_hash(), two.policy_hash());
}

#[tokio::test]
async fn names_are_for_students_in_scope_and_roles_that_may() {
    let session = open(counselor()).await;
    assert!(session.may_name(key(1)) && !session.may_name(key(7)));
    let clerk = open(principal("clerk", &[], None)).await;
    assert!(!clerk.may_name(key(1)), "the role may not");
}

#[tokio::test]
async fn sessions_that_see_the_same_share_a_policy_hash_and_others_do_not() {
    let sessions = sessions_of(Lake::new());
    let mut hashes = Vec::new();
    for scopes in [&["assigned"][..], &["assigned"], &["class:软件2301"], &["class:软件2302"], &[]] {
        let session = sessions.open(principal("watcher", scopes, Some(COUNSELOR))).await.expect("session");
        hashes.push(session.policy_hash().to_owned());
    }
    assert_eq!(hashes[0], hashes[1]);
    hashes.remove(0);
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

/// A lake whose register moves on, and which counts how often it is read.
struct Moving {
    lake: Lake,
    version: AtomicI64,
    opened: AtomicUsize,
}

#[async_trait]
impl Tables for Moving {
    async fn table(&self, name: &str) -> Result<Option<TableEntry>, Cause> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let version = self.version.load(Ordering::Relaxed);
        let mut lake = Lake::default();
        // In the second version nobody but student 9 is left.
        lake.insert("dim_student", student_batch(if version == 1 { 0..12 } else { 9..10 }), Some("student_key"));
        let entry = lake.0.remove(name).or_else(|| self.lake.0.get(name).cloned());
        Ok(entry.map(|it| TableEntry { version, ..it }))
    }

    fn names(&self) -> Result<Vec<String>, Cause> {
        self.lake.names()
    }
}

#[tokio::test]
async fn a_scope_follows_the_register_and_a_session_stays_where_it_was() {
    let lake = Arc::new(Moving { lake: Lake::new(), version: AtomicI64::new(1), opened: AtomicUsize::new(0) });
    let parts = Parts::new(policies(), Arc::clone(&lake) as Arc<dyn Tables>, clock(), [3; 32]);
    let sessions = Sessions::new(config(), parts).expect("sessions");
    let building = || principal("watcher", &["building:N4"], None);
    let before = sessions.open(building()).await.expect("session");
    assert_eq!(answer(&before, "SELECT count(*) FROM dim_student").await, Ok(vec!["6".to_owned()]));
    assert_eq!(before.version("dim_student").await.expect("version"), 1);
    lake.version.store(2, Ordering::Relaxed);
    let after = sessions.open(building()).await.expect("session");
    assert_eq!(answer(&after, "SELECT count(*) FROM dim_student").await, Ok(vec!["1".to_owned()]));
    assert_eq!(answer(&before, "SELECT count(*) FROM dim_student").await, Ok(vec!["6".to_owned()]));
    assert_ne!(before.policy_hash(), after.policy_hash());
}

#[tokio::test]
async fn a_table_is_opened_once_a_session() {
    let lake = Arc::new(Moving { lake: Lake::new(), version: AtomicI64::new(1), opened: AtomicUsize::new(0) });
    let parts = Parts::new(policies(), Arc::clone(&lake) as Arc<dyn Tables>, clock(), [3; 32]);
    let session = Sessions::new(config(), parts).expect("sessions").open(principal("watcher", &[], None)).await.expect("session");
    let before = lake.opened.load(Ordering::Relaxed);
    for _ in 0..3 {
        answer(&session, "SELECT count(*) FROM card a JOIN card b USING (txn_no)").await.expect("rows");
    }
    assert_eq!(lake.opened.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test]
async fn a_register_that_cannot_answer_opens_no_session() {
    let mut lake = Lake::new();
    let students = student_batch(0..12).project(&[0]).expect("keys only");
    lake.insert("dim_student", students, Some("student_key"));
    let failed = sessions_of(lake).open(counselor()).await;
    assert!(matches!(failed, Err(Error::Unresolved { .. })));
    let mut lake = Lake::new();
    lake.0.remove("dim_student");
    let session = sessions_of(lake).open(counselor()).await.expect("session");
    assert!(matches!(session.students(), Scoped::Keys(keys) if keys.keys().is_empty()));
}

#[tokio::test]
async fn many_students_are_reached_as_few_are() {
    // Above the length at which keys are listed in the plan: another filter, the same rows.
    let mut lake = Lake::new();
    let students: Vec<i64> = (0..2_000).map(|it| it * 2).collect();
    lake.insert("dim_student", student_batch(students.iter().copied()), Some("student_key"));
    let sessions = sessions_of(lake);
    let session = sessions.open(principal("watcher", &["building:N3"], None)).await.expect("session");
    assert_eq!(answer(&session, "SELECT count(*) FROM dim_student").await, Ok(vec!["2000".to_owned()]));
    assert_eq!(answer(&session, "SELECT count(DISTINCT student_key), count(*) FROM card").await, Ok(vec!["6|30".to_owned()]));
    let one = format!("SELECT count(*) FROM card WHERE student_key = {}", key(4));
    assert_eq!(answer(&session, &one).await, Ok(vec!["5".to_owned()]));
    let negated = "SELECT count(*) FROM card WHERE NOT (student_key IS NULL) AND student_key <> 42";
    assert_eq!(answer(&session, negated).await, Ok(vec!["30".to_owned()]));
}

#[tokio::test]
async fn who_is_withheld_is_in_no_session_however_wide_and_however_it_is_asked_for() {
    let count = "SELECT count(*) FROM dim_student";
    for scopes in [["university"], ["building:N3"]] {
        let sessions = sessions_of(Lake::new());
        let whole = sessions.open(principal("watcher", &scopes, None)).await.expect("session");
        let one = answer(&whole, "SELECT min(student_key) FROM dim_student").await.expect("a key").remove(0);
        let gone: i64 = one.parse().expect("a key");
        let session = sessions.open_without(principal("watcher", &scopes, None), &[gone], &[]).await.expect("session");
        let n = |rows: Result<Vec<String>, (String, String)>| -> i64 { rows.expect("a count")[0].parse().expect("a count") };
        assert_eq!(n(answer(&session, count).await), n(answer(&whole, count).await) - 1, "{scopes:?}");
        for condition in
            [format!("student_key = {gone}"), format!("NOT (student_key <> {gone})"), format!("student_key + 0 = {gone}")]
        {
            let asked = format!("{count} WHERE {condition}");
            assert_eq!(n(answer(&session, &asked).await), 0, "{condition}");
        }
        assert!(!session.students().contains(gone) && whole.students().contains(gone));
        assert_ne!(session.policy_hash(), whole.policy_hash(), "a stored answer is none of the other's");
    }
}

#[tokio::test]
async fn who_leaves_company_is_in_no_row_of_it_and_in_every_other() {
    let mut lake = Lake::new();
    // All that is bought in the canteen is company here, and nothing else.
    let words = vec!["食堂".to_owned()];
    let company = Company { people: vec!["student_key".to_owned()], only: Some(("place".to_owned(), words)) };
    lake.0.get_mut("card").expect("a table").company = Some(company);
    lake.0.get_mut("dim_student").expect("a table").company = Some(Company { people: Vec::new(), only: None });
    let sessions = sessions_of(lake);
    let watcher = || principal("watcher", &["university"], None);
    let whole = sessions.open(watcher()).await.expect("session");
    // The third buys in the canteen, the fourth elsewhere.
    let session = sessions.open_without(watcher(), &[], &[key(3), key(4)]).await.expect("session");
    let of = |student: i64| format!("SELECT count(*) FROM card WHERE student_key = {}", key(student));
    for (student, before, after) in [(3, "5", "0"), (4, "5", "5"), (6, "5", "5")] {
        assert_eq!(answer(&whole, &of(student)).await, Ok(vec![before.to_owned()]), "{student}");
        assert_eq!(answer(&session, &of(student)).await, Ok(vec![after.to_owned()]), "{student}");
    }
    let people = "SELECT count(*) FROM dim_student";
    assert_eq!(answer(&session, people).await, answer(&whole, people).await, "they are students like any other");
    assert_ne!(session.policy_hash(), whole.policy_hash(), "a stored answer is none of the other's");
}

#[tokio::test]
async fn rows_of_clients_are_those_of_the_readers_own_and_never_beyond_the_scope() {
    let role = r#"
        role = "helper"
        title_zh = "助手"
        title_en = "Helper"
        about = "Reads of those who are theirs."
        scopes = ["university"]
        clearance = "trace"
        [tables]
        card = { rows = "clients" }
        dim_student = { rows = "scope" }
        "#;
    let policies = policy::Policies::parse([(std::path::Path::new("helper.toml"), role)]).expect("a policy");
    let parts = Parts::new(policies, Arc::new(Lake::new()), clock(), [3; 32]);
    let sessions = Sessions::new(config(), parts).expect("sessions");
    let of = |scope: &str, clients: Vec<i64>| policy::Principal { clients, ..principal("helper", &[scope], None) };
    let people = "SELECT count(DISTINCT student_key), count(*) FROM card";
    for (scope, clients, expected) in [
        ("university", Vec::new(), "0|0"),
        ("university", vec![key(1), key(7), 42], "3|11"),
        // The seventh is of the other college.
        ("college:C01", vec![key(1), key(7)], "1|5"),
    ] {
        let session = sessions.open(of(scope, clients)).await.expect("session");
        assert_eq!(answer(&session, people).await, Ok(vec![expected.to_owned()]), "{scope}");
    }
    let (one, other) = (of("university", vec![key(1)]), of("university", vec![key(2)]));
    let (one, other) = (sessions.open(one).await.expect("session"), sessions.open(other).await.expect("session"));
    assert_ne!(one.policy_hash(), other.policy_hash(), "a stored answer is none of the other's");
}

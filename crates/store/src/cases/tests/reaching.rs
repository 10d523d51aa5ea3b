//! Work lists: the right cases for everybody, and what ten thousand of them cost.

use std::collections::BTreeSet;
use std::time::Instant;

use casework::{Act, HOUR_US, Kind, LabelScheme, Post, ReferralTo, Relation, Role, Rules, Severity, Sight, Source, sight};

use super::{Cases, Edit, NewEntry, Page, Who, command, does, signal, who};
use crate::cases::{actor, load};
use crate::scene::Scene;

async fn listed(cases: &Cases, who: &Who, now: i64, limit: usize) -> Vec<i64> {
    let mut keys = Vec::new();
    let mut page = Page { after: None, limit };
    loop {
        let rows = cases.queue(who, page, &LabelScheme::default(), now).await.unwrap();
        keys.extend(rows.iter().map(|it| it.thread_key));
        match rows.last() {
            Some(row) if rows.len() == limit => page.after = Some(row.position()),
            _ => return keys,
        }
    }
}

/// Cases of every kind, source and severity for students of two counselors and two colleges.
async fn population(cases: &Cases) -> Vec<i64> {
    let rules = Rules::default();
    let mut keys = Vec::new();
    for student_key in 1..=12 {
        let (counselor, psychologist) = if student_key % 2 == 0 { ("lin", "wang") } else { ("mei", "zhao") };
        cases.assign(Relation::Counselor, counselor, &[student_key], 0).await.unwrap();
        cases.assign(Relation::Psychologist, psychologist, &[student_key], 0).await.unwrap();
        cases.assign(Relation::Secretary, "chen", &[student_key], 0).await.unwrap();
        cases.assign(Relation::Tutor, "he", &[student_key], 0).await.unwrap();
        let by = who(counselor, Role::Counselor);
        let kind = Kind::ALL[student_key as usize % 4];
        let command_of = match student_key % 6 {
            0 => (signal(Source::Machine, 2), Who::system()),
            1 => (signal(Source::HumanReport, 1), by.clone()),
            2 => (signal(Source::HumanReport, 3), by.clone()),
            3 => (command(Act::Declare { is_danger_immediate: false }), by.clone()),
            4 => (signal(Source::SelfReferral, 2), by.clone()),
            _ => (signal(Source::Machine, 1), Who::system()),
        };
        let entry = NewEntry { student_key, kind, command: &command_of.0, note: None };
        let key = cases.enter(entry, &command_of.1, &rules, student_key).await.unwrap().thread_key.unwrap();
        keys.push(key);
        let psychology = who(psychologist, Role::Psychologist);
        if student_key % 3 == 0 {
            // Whoever may.
            let _ = does(cases, key, Act::Claim {}, &by, 20).await;
            let _ = does(cases, key, Act::Claim {}, &psychology, 20).await;
        }
        if student_key == 2 || student_key == 3 || student_key == 8 {
            does(cases, key, Act::GrantTo { account: "gao".to_owned() }, &psychology, 21).await.unwrap();
        }
        if student_key == 8 {
            does(cases, key, Act::Revoke { account: "gao".to_owned() }, &psychology, 22).await.unwrap();
        }
    }
    let check = command(Act::OpenCheck { cause: casework::CheckCause::NoTrace, guardian: casework::Guardian::Normal });
    let entry = NewEntry { student_key: 1, kind: Kind::Safety, command: &check, note: None };
    keys.push(cases.enter(entry, &Who::system(), &rules, 23).await.unwrap().thread_key.unwrap());
    let referred = keys[3];
    does(cases, referred, Act::Claim {}, &who("lin", Role::Counselor), 24).await.unwrap();
    for act in [
        Act::Contact { reached: casework::Reached::Phone },
        Act::Assess { severity: Severity::General },
        Act::Refer { to: ReferralTo::UniversityHospital },
    ] {
        does(cases, referred, act, &who("lin", Role::Counselor), 25).await.unwrap();
    }
    keys
}

#[tokio::test]
async fn the_list_of_everybody_is_what_they_see() {
    let scene = Scene::new();
    let cases = scene.open().await.cases();
    let keys = population(&cases).await;
    for account in ["wu", "zhao"] {
        let shift = casework::DutyShift {
            post: Post::SecurityOffice,
            account: account.to_owned(),
            backup: None,
            from_us: 0,
            until_us: HOUR_US,
        };
        cases.roster(&shift).await.unwrap();
    }
    let readers = [
        ("lin", Role::Counselor),
        ("mei", Role::Counselor),
        ("wang", Role::Psychologist),
        ("zhao", Role::Psychologist),
        ("qian", Role::PsychologyHead),
        ("he", Role::Tutor),
        ("chen", Role::CollegeSecretary),
        ("wu", Role::Security),
        ("ai", Role::AidCentre),
        ("yi", Role::Hospital),
        ("gao", Role::Leader),
        ("gao", Role::Student),
        ("lin", Role::DormHead),
        ("lin", Role::Analyst),
        ("x", Role::Administrator),
    ];
    let mut seen_by_somebody = BTreeSet::new();
    for now in [30, HOUR_US] {
        for (account, role) in readers {
            let reader = who(account, role);
            let listed: BTreeSet<i64> = listed(&cases, &reader, now, 3).await.into_iter().collect();
            let mut expected = BTreeSet::new();
            let mut tx = cases.database.snapshot("case_thread").await.unwrap();
            for key in &keys {
                let thread = load(&mut tx, *key).await.unwrap().unwrap();
                let actor = actor(&mut tx, &reader, thread.student_key, now).await.unwrap();
                if Sight::Step <= sight(&actor, &thread, now) {
                    expected.insert(*key);
                }
            }
            assert_eq!(listed, expected, "{reader:?} at {now}");
            seen_by_somebody.extend(listed);
        }
    }
    assert_eq!(seen_by_somebody.len(), keys.len(), "nobody's case would be nobody's work");
}

#[tokio::test]
async fn ten_thousand_open_cases_are_listed_page_by_page() {
    let scene = Scene::new();
    let store = scene.open().await;
    let cases = store.cases();
    let mut tx = store.database().begin("case_thread").await.unwrap();
    let numbers = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 10000)";
    let threads = format!(
        "INSERT INTO case_thread (thread_key, student_key, kind, version, state, severity, level, due_us, is_of_machines, \
         is_running, has_died, opened_us) {numbers} SELECT n, n, CASE n % 4 WHEN 0 THEN 'psych' WHEN 1 THEN 'safety' WHEN 2 \
         THEN 'academic' ELSE 'life_aid' END, 1, 'new', n % 4, 'class', 100000 + n % 977, 1, 0, 0, 1 FROM number"
    );
    let assigned = format!(
        "INSERT INTO case_assignment (student_key, relation, account, from_us, until_us) {numbers} \
         SELECT n, 'counselor', 'c' || (n % 50), 0, 9223372036854775807 FROM number"
    );
    for sql in [threads, assigned] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();

    // Reported, not asserted: a busy machine is no bug.
    for (account, role, expected) in [("c7", Role::Counselor, 200), ("qian", Role::PsychologyHead, 7_500), ("x", Role::Leader, 0)]
    {
        let reader = who(account, role);
        let began = Instant::now();
        let first = cases.queue(&reader, Page { after: None, limit: 50 }, &LabelScheme::default(), 5).await.unwrap();
        let one_page = began.elapsed();
        let all = listed(&cases, &reader, 5, 500).await;
        println!("{role:?}: first page of {} in {one_page:?}, all {} in {:?}", first.len(), all.len(), began.elapsed());
        assert_eq!(all.len(), expected);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), expected, "no row twice");
        assert!(first.iter().zip(&all).all(|(row, key)| row.thread_key == *key));
    }
}

#[tokio::test]
async fn the_hospital_reads_what_was_written_for_it_and_nothing_older() {
    let scene = Scene::new();
    let cases = scene.open().await.cases();
    cases.assign(Relation::Counselor, "lin", &[7], 0).await.unwrap();
    let (lin, said) = (who("lin", Role::Counselor), signal(Source::HumanReport, 1));
    let entry = NewEntry { student_key: 7, kind: Kind::LifeAid, command: &said, note: None };
    let key = cases.enter(entry, &lin, &Rules::default(), 1).await.unwrap().thread_key.unwrap();
    let contact = Act::Contact { reached: casework::Reached::Phone };
    for act in [Act::Claim {}, contact, Act::Assess { severity: Severity::General }] {
        does(&cases, key, act, &lin, 2).await.unwrap();
    }
    let refer = command(Act::Refer { to: ReferralTo::UniversityHospital });
    let seen_version: i64 = sqlx::query_scalar("SELECT version FROM case_thread WHERE thread_key = $1")
        .bind(key)
        .fetch_one(cases.database.read())
        .await
        .unwrap();
    let edit = Edit { thread_key: key, seen_version, command: &refer, note: Some("发热三天") };
    cases.execute(edit, &lin, &Rules::default(), 3).await.unwrap();
    let read = async || cases.referrals(&who("yi", Role::Hospital)).await.unwrap().remove(0).text;
    assert_eq!(read().await.as_deref(), Some("发热三天"));

    // A referral as it was kept before the form said who reads it: that it was made is told, and no word of it.
    let mut tx = cases.database.begin("case_event").await.unwrap();
    sqlx::query(
        "INSERT INTO case_event (thread_key, seq, at_us, actor, role, step, body, note_sealed) \
         VALUES ($1, $2, 4, 'lin', 'counselor', 'referred', '{}', $3)",
    )
    .bind(key)
    .bind(seen_version + 10)
    .bind(vec![1_u8])
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(read().await, None);
}

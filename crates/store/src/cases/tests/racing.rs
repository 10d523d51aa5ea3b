//! Two editors at once, in two openings of one store.

use casework::{Act, How, Kind, LabelScheme, Outcome, Reached, Relation, Role, Rules, Severity, Source, Thread};
use proptest::prelude::*;

use super::{Cases, Edit, NewEntry, Who, command, lin, signal, who};
use crate::Error;
use crate::cases::{event_from, load};
use crate::scene::{Scene, runtime};

const STUDENT: i64 = 7;

fn acts() -> Vec<Act> {
    let severity = |it| Severity::try_from(it).unwrap();
    vec![
        Act::Claim {},
        Act::Contact { reached: Reached::Phone },
        Act::Assess { severity: severity(2) },
        Act::Plan {},
        Act::Review { is_quiet: true },
        Act::Review { is_quiet: false },
        Act::Assess { severity: severity(1) },
        Act::Close { outcome: Outcome::NeededSupport, reached: Reached::Phone, how: How::Single },
        Act::Signal { source: Source::HumanReport, severity: severity(2) },
        Act::Declare { is_danger_immediate: false },
    ]
}

/// What one editor does: looks, then edits what was seen; says how many edits were taken.
async fn edits(cases: Cases, editor: Who, thread_key: i64, chosen: Vec<usize>) -> (usize, usize) {
    let (mut taken, mut stale) = (0, 0);
    for it in chosen {
        let view = cases.view(thread_key, &editor, &LabelScheme::default(), 5).await.unwrap().expect("the case");
        let seen_version = view.row.expect("its line").version;
        let command = command(acts()[it].clone());
        let edit = Edit { thread_key, seen_version, command: &command, note: None };
        match cases.execute(edit, &editor, &Rules::default(), 5).await {
            Ok(done) => taken += done.events.len(),
            Err(Error::CaseStale { version, changes, .. }) => {
                assert!(seen_version < version && changes.len() as i64 == (version - seen_version).min(10));
                stale += 1;
            }
            Err(Error::CaseRefused(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    (taken, stale)
}

async fn race(one: Vec<usize>, two: Vec<usize>) {
    let scene = Scene::new();
    let (here, there) = (scene.open().await, scene.open().await);
    here.cases().assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
    here.cases().assign(Relation::Psychologist, "wang", &[STUDENT], 0).await.unwrap();
    let entry = NewEntry { student_key: STUDENT, kind: Kind::Psych, command: &signal(Source::HumanReport, 2), note: None };
    let key = here.cases().enter(entry, &lin(), &Rules::default(), 1).await.unwrap().thread_key.unwrap();

    let first = tokio::spawn(edits(here.cases(), lin(), key, one));
    let second = tokio::spawn(edits(there.cases(), who("wang", Role::Psychologist), key, two));
    let ((taken_here, _), (taken_there, _)) = (first.await.unwrap(), second.await.unwrap());

    // No edit was lost, none was made twice, and all that is kept tells the same.
    let cases = here.cases();
    let bodies: Vec<(i64, String)> = sqlx::query_as("SELECT seq, body FROM case_event WHERE thread_key = $1 ORDER BY seq")
        .bind(key)
        .fetch_all(cases.database.read())
        .await
        .unwrap();
    assert_eq!(bodies.len(), 1 + taken_here + taken_there);
    assert!(bodies.iter().map(|it| it.0).eq(1..=bodies.len() as i64));
    let events: Vec<_> = bodies.iter().map(|(_, body)| event_from(body).unwrap()).collect();
    let replayed = Thread::replay(Thread::blank(key, STUDENT, Kind::Psych), &events);
    let mut tx = cases.database.snapshot("case_thread").await.unwrap();
    assert_eq!(load(&mut tx, key).await.unwrap().as_ref(), Some(&replayed));
    let row: (i64, String, i64, i64) =
        sqlx::query_as("SELECT version, state, severity, due_us FROM case_thread WHERE thread_key = $1")
            .bind(key)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    let due_us = replayed.deadline_us.unwrap_or(crate::cases::NEVER);
    assert_eq!(row, (replayed.version, replayed.state.code().to_owned(), replayed.severity.level(), due_us));
    let facts = cases.outbox("case_state", 0, 500).await.unwrap();
    assert!(facts.iter().map(|it| it.seq).eq(1..=bodies.len() as i64));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn two_editors_at_once_never_overwrite_each_other(
        one in proptest::collection::vec(0..acts().len(), 4..14),
        two in proptest::collection::vec(0..acts().len(), 4..14),
    ) {
        runtime().block_on(race(one, two));
    }
}

#[test]
fn numbers_of_two_openers_at_once_have_no_gap_and_no_double() {
    runtime().block_on(async {
        let scene = Scene::new();
        let (here, there) = (scene.open().await, scene.open().await);
        let tasks: Vec<_> = (0..40_i64)
            .map(|student_key| {
                let cases = if student_key % 2 == 0 { here.cases() } else { there.cases() };
                tokio::spawn(async move {
                    let command = signal(Source::Machine, 1);
                    let entry = NewEntry { student_key: student_key / 4, kind: Kind::Academic, command: &command, note: None };
                    cases.enter(entry, &Who::system(), &Rules::default(), 1).await.unwrap()
                })
            })
            .collect();
        // Whoever reads while others write sees numbers without a gap, so no fact is ever passed over.
        let mut after = 0;
        loop {
            let is_over = tasks.iter().all(tokio::task::JoinHandle::is_finished);
            let facts = here.cases().outbox("case_state", after, 500).await.unwrap();
            assert!(facts.iter().map(|it| it.seq).eq(after + 1..=after + facts.len() as i64));
            after += facts.len() as i64;
            if is_over {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(after, 40);
        let mut keys = std::collections::BTreeSet::new();
        for task in tasks {
            keys.extend(task.await.unwrap().thread_key);
        }
        assert_eq!(keys.len(), 10, "one open case a student");
    });
}

#[test]
fn of_two_editors_with_the_same_version_one_is_taken() {
    runtime().block_on(async {
        let scene = Scene::new();
        let (here, there) = (scene.open().await, scene.open().await);
        here.cases().assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
        here.cases().assign(Relation::Psychologist, "wang", &[STUDENT], 0).await.unwrap();
        let entry = NewEntry { student_key: STUDENT, kind: Kind::Psych, command: &signal(Source::HumanReport, 2), note: None };
        let key = here.cases().enter(entry, &lin(), &Rules::default(), 1).await.unwrap().thread_key.unwrap();
        let claim = |cases: Cases, editor: Who| {
            tokio::spawn(async move {
                let claim = command(Act::Claim {});
                let edit = Edit { thread_key: key, seen_version: 1, command: &claim, note: None };
                cases.execute(edit, &editor, &Rules::default(), 5).await
            })
        };
        let (one, two) = (claim(here.cases(), lin()), claim(there.cases(), who("wang", Role::Psychologist)));
        let results = [one.await.unwrap(), two.await.unwrap()];
        assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 1);
        assert_eq!(results.iter().filter(|it| matches!(it, Err(Error::CaseStale { .. }))).count(), 1, "{results:?}");
    });
}

//! The night comes again and again, and changes what is new.

use std::collections::BTreeSet;

use casework::{Act, CheckCause, DAY_US, Guardian, HOUR_US, Kind, Relation, Rules, Severity, Source};

use super::{STUDENT, command, does_all, lin, opened, refusal, signal, to_the_end, who};
use crate::Store;
use crate::cases::{Cases, Entered, NewDeath, NewEntry, TakenUp};
use crate::scene::Scene;
use casework::{Admission, Refusal, Role};

async fn offer(cases: &Cases, id: &str, severity: i64, now: i64) -> TakenUp {
    let command = signal(Source::Machine, severity);
    let entry = NewEntry { student_key: STUDENT, kind: Kind::LifeAid, command: &command, note: None };
    cases.take_up(id, entry, &Rules::default(), now).await.unwrap()
}

async fn no_trace(cases: &Cases, id: &str, now: i64) -> TakenUp {
    let command = command(Act::OpenCheck { cause: CheckCause::NoTrace, guardian: Guardian::Normal });
    let entry = NewEntry { student_key: STUDENT, kind: Kind::Safety, command: &command, note: None };
    cases.take_up(id, entry, &Rules::default(), now).await.unwrap()
}

#[track_caller]
fn entered(taken: TakenUp) -> Entered {
    match taken {
        TakenUp::Entered(entered) => entered,
        other => panic!("not entered: {other:?}"),
    }
}

async fn facts(store: &Store, topic: &str) -> Vec<serde_json::Value> {
    let facts = store.cases().outbox(topic, 0, 500).await.unwrap();
    facts.iter().map(|it| serde_json::from_str(&it.body).unwrap()).collect()
}

#[tokio::test]
async fn an_offer_is_taken_up_once_however_often_the_night_comes() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let first = entered(offer(&store.cases(), "a1", 1, 1).await);
    assert_eq!((first.admission, first.version), (Admission::Opens, 1));
    let store = scene.reopen(store).await;
    let cases = store.cases();
    assert_eq!(offer(&cases, "a1", 1, 2).await, TakenUp::Known);
    // Another name is another offer, which is counted on the open case.
    let second = entered(offer(&cases, "a2", 2, 3).await);
    assert_eq!((second.admission, second.thread_key, second.version), (Admission::Bundled, first.thread_key, 2));
    let key = first.thread_key.unwrap();
    assert_eq!(cases.offers_of(key).await.unwrap(), ["a1", "a2"]);

    does_all(&cases, key, &lin(), to_the_end(2)).await;
    let cooled = entered(offer(&cases, "a3", 1, DAY_US).await);
    assert_eq!((cooled.admission, cooled.thread_key), (Admission::CooledDown, None));
    let told: Vec<(String, String)> = facts(&store, "case_offer")
        .await
        .iter()
        .map(|it| (it["warning_id"].as_str().unwrap().to_owned(), it["admission"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [("a1", "opens"), ("a2", "bundled"), ("a3", "cooled_down")];
    assert_eq!(told, expected.map(|(id, admission)| (id.to_owned(), admission.to_owned())));
}

#[tokio::test]
async fn a_check_that_goes_on_answers_the_next_one_and_a_death_all_of_them() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = entered(no_trace(&cases, "n1", 1).await).thread_key.unwrap();
    assert_eq!(no_trace(&cases, "n2", 2).await, TakenUp::Nothing(Refusal::CheckOpen));
    assert_eq!(no_trace(&cases, "n2", 3).await, TakenUp::Known);
    assert_eq!(cases.offers_of(key).await.unwrap(), ["n1", "n2"]);

    let readers = ["wang".to_owned(), "gao".to_owned()];
    let death = NewDeath { student_key: STUDENT, died_day: 0, readers };
    cases.die(&death, &who("wang", Role::PsychologyHead), true, &Rules::default(), 4).await.unwrap();
    assert_eq!(offer(&cases, "a1", 1, 5).await, TakenUp::Nothing(Refusal::Deceased));
    assert_eq!(offer(&cases, "a1", 1, 6).await, TakenUp::Known);
    let told = facts(&store, "case_offer").await;
    assert_eq!(told.len(), 3);
    assert_eq!((&told[2]["admission"], &told[2]["thread_key"]), (&"deceased".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn what_only_the_moment_forbids_is_tried_again() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    entered(offer(&cases, "a1", 1, HOUR_US).await);
    let command = signal(Source::Machine, 2);
    let entry = || NewEntry { student_key: STUDENT, kind: Kind::LifeAid, command: &command, note: None };
    let early = cases.take_up("a2", entry(), &Rules::default(), 1).await;
    assert_eq!(refusal(early), Refusal::TimeGoesBack);
    assert_eq!(entered(offer(&cases, "a2", 2, HOUR_US).await).admission, Admission::Bundled);
    // The data alone raise to 2 and no further, whatever the lake says.
    let command = super::command(Act::Signal { source: Source::Machine, severity: Severity::Serious });
    let entry = NewEntry { student_key: STUDENT, kind: Kind::LifeAid, command: &command, note: None };
    assert_eq!(refusal(cases.take_up("a3", entry, &Rules::default(), HOUR_US).await), Refusal::DataLimit);
}

#[tokio::test]
async fn a_hand_over_stands_until_the_register_says_something_new() {
    let scene = Scene::new();
    let store = scene.open().await;
    let cases = store.cases();
    let said = |pairs: &[(i64, &str)]| -> BTreeSet<(i64, String)> { pairs.iter().map(|it| (it.0, it.1.to_owned())).collect() };
    let of = async |student_key: i64| -> Vec<String> {
        sqlx::query_scalar(
            "SELECT account FROM case_assignment WHERE student_key = $1 AND until_us = 9223372036854775807 ORDER BY account",
        )
        .bind(student_key)
        .fetch_all(store.cases().database.read())
        .await
        .unwrap()
    };
    let synced = cases.sync_said(Relation::Counselor, &said(&[(1, "lin"), (2, "lin"), (3, "mei")]), 1).await.unwrap();
    assert_eq!((synced.assigned_n, synced.ended_n), (3, 0));

    let key = cases.offer_hand_over("lin", "mei", &[1], 2).await.unwrap();
    cases.confirm_hand_over(key, &lin(), 3).await.unwrap();
    cases.confirm_hand_over(key, &who("mei", Role::Counselor), 4).await.unwrap();
    let synced = cases.sync_said(Relation::Counselor, &said(&[(1, "lin"), (2, "lin"), (3, "mei")]), 5).await.unwrap();
    assert_eq!((synced.assigned_n, synced.ended_n), (0, 0));
    assert_eq!(of(1).await, ["mei"], "the register is behind, and that is no news");

    // The register goes on: one follows, one changes, one is gone.
    cases.sync_said(Relation::Counselor, &said(&[(1, "mei"), (2, "zhao")]), 6).await.unwrap();
    assert_eq!((of(1).await, of(2).await, of(3).await.len()), (vec!["mei".to_owned()], vec!["zhao".to_owned()], 0));
    assert_eq!(cases.without_counselor(&[1, 2, 3], 7).await.unwrap(), [3]);
    // Another relation has several, and more than one statement takes.
    let many: BTreeSet<(i64, String)> =
        (1..=700).flat_map(|it| ["wang", "zhao"].map(|account| (it, account.to_owned()))).collect();
    assert_eq!(cases.sync_said(Relation::Psychologist, &many, 8).await.unwrap().assigned_n, 1400);
    assert_eq!(of(3).await, ["wang", "zhao"]);
    assert_eq!(cases.sync_said(Relation::Psychologist, &BTreeSet::new(), 9).await.unwrap().ended_n, 1400);
    assert_eq!(of(3).await, Vec::<String>::new());
}

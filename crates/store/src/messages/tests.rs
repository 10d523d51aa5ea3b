//! Messages as the night makes them and readers answer them.

use casework::{
    Act, CheckCause, Code, Command, DAY_US, Delegation, DutyShift, Guardian, HOUR_US, Kind, Post, Relation, Role, Rules,
    Severity, Source,
};

use super::*;
use crate::scene::Scene;
use crate::{Asked, Cases, Edit, NewEntry, Store, Who};

const STUDENT: i64 = 123_456_789_012_345;

fn who(account: &str, role: Role) -> Who {
    Who { account: account.to_owned(), role }
}

async fn enter(cases: &Cases, kind: Kind, act: Act, by: &Who, now: i64) -> i64 {
    let command = Command { act, reason: Code::new("as_seen").unwrap() };
    let entry = NewEntry { student_key: STUDENT, kind, command: &command, note: None };
    cases.enter(entry, by, &Rules::default(), now).await.unwrap().thread_key.unwrap()
}

async fn does(cases: &Cases, (thread_key, seen_version): (i64, i64), act: Act, by: &Who, now: i64) {
    let command = Command { act, reason: Code::new("as_seen").unwrap() };
    let edit = Edit { thread_key, seen_version, command: &command, note: None };
    cases.execute(edit, by, &Rules::default(), now).await.unwrap();
}

fn machine(severity: i64) -> Act {
    Act::Signal { source: Source::Machine, severity: Severity::try_from(severity).unwrap() }
}

async fn told(store: &Store) -> Vec<(String, Option<i64>, bool)> {
    store.messages().due(None, i64::MAX).await.unwrap().into_iter().map(|it| (it.kind, it.severity, it.is_of_machine)).collect()
}

#[tokio::test]
async fn a_message_is_made_with_the_step_it_is_about_and_survives() {
    let scene = Scene::new();
    let store = scene.open().await;
    let cases = store.cases();
    cases.assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
    let system = Who::system();
    let lin = who("lin", Role::Counselor);
    let key = enter(&cases, Kind::LifeAid, machine(1), &system, 1).await;
    enter(&cases, Kind::LifeAid, machine(2), &system, 2).await;
    assert_eq!(told(&store).await, [("new_thread".to_owned(), Some(1), true)], "what machines repeat is counted, not told");
    let report = Act::Signal { source: Source::HumanReport, severity: Severity::Serious };
    enter(&cases, Kind::LifeAid, report, &lin, 3).await;
    enter(&cases, Kind::Safety, Act::OpenCheck { cause: CheckCause::NoTrace, guardian: Guardian::Normal }, &system, 4).await;
    enter(&cases, Kind::Psych, Act::Declare { is_danger_immediate: false }, &lin, 5).await;
    cases.tick(&Rules::default(), 4 + HOUR_US, 500).await.unwrap();
    let store = scene.reopen(store).await;
    let told = told(&store).await;
    let kinds: Vec<&str> = told.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(kinds, ["new_thread", "new_thread", "safety_step_due", "crisis_declared", "overdue", "overdue"]);
    assert_eq!((told[1].1, told[1].2), (Some(3), false));
    assert_eq!(told[2].1, None, "a check is no level");
    assert_eq!(told[3].1, Some(4));

    // Whoever takes the case in hand has answered all that was said of it before.
    let open = store.messages().due(None, i64::MAX).await.unwrap();
    assert!(!store.messages().is_overtaken(&open[1]).await.unwrap());
    does(&store.cases(), (key, 3), Act::Claim {}, &who("wang", Role::PsychologyHead), 6 + HOUR_US).await;
    assert!(store.messages().is_overtaken(&open[0]).await.unwrap());
    assert!(store.messages().is_overtaken(&open[1]).await.unwrap());
    assert!(!store.messages().is_overtaken(&open[2]).await.unwrap());
    store.messages().settle(open[0].message_id, Fate::Overtaken, 7).await.unwrap();
    assert_eq!(store.messages().due(None, i64::MAX).await.unwrap().len(), open.len() - 1);
}

#[tokio::test]
async fn what_waits_is_not_read_before_its_time_unless_something_is_reported_of_it() {
    let scene = Scene::new();
    let store = scene.open().await;
    store.cases().assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
    for (at, kind) in [(1, Kind::LifeAid), (2, Kind::Academic), (3, Kind::Safety)] {
        enter(&store.cases(), kind, machine(2), &Who::system(), at).await;
    }
    let due =
        async |now: i64| -> Vec<i64> { store.messages().due(None, now).await.unwrap().iter().map(|it| it.message_id).collect() };
    assert_eq!(due(10).await, [1, 2, 3]);
    let messages = store.messages();
    messages.put_off(1, 100).await.unwrap();
    messages.put_off(3, 50).await.unwrap();
    assert_eq!((due(49).await, due(50).await, due(100).await), (vec![2], vec![2, 3], vec![2, 3, 1]), "by when, then by number");
    let first = messages.due(None, 100).await.unwrap().remove(0);
    let rest: Vec<i64> = messages.due(Some(&first), 100).await.unwrap().iter().map(|it| it.message_id).collect();
    assert_eq!(rest, [3, 1], "a page goes on behind the last");

    messages.begin(1, 7, "mail", 0, 20).await.unwrap();
    messages.advance(1, 8, None, Reach::Read, 30).await.unwrap();
    assert_eq!(due(49).await, [2], "of another's delivery nothing follows");
    messages.advance(1, 7, None, Reach::Acknowledged, 30).await.unwrap();
    assert_eq!(due(49).await, [1, 2], "an answer is not slept over");
    messages.settle(1, Fate::Answered, 31).await.unwrap();
    messages.bring_back().await.unwrap();
    assert_eq!(due(0).await, [2, 3], "what is settled comes back by nothing");
}

#[tokio::test]
async fn whoever_was_told_sees_what_waits_and_who_took_it_on() {
    let scene = Scene::new();
    let store = scene.open().await;
    store.cases().assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
    let mut keys = Vec::new();
    for (at, kind) in [(1, Kind::LifeAid), (2, Kind::Academic), (3, Kind::Safety)] {
        keys.push(enter(&store.cases(), kind, machine(2), &Who::system(), at).await);
    }
    let messages = store.messages();
    let shown = async |to_key: i64, taken_since_us: i64| -> Vec<(i64, Option<(i64, i64)>)> {
        let found = messages.sent_to(to_key, 0, taken_since_us, 10).await.unwrap();
        found.into_iter().map(|it| (it.message.message_id, it.taken)).collect()
    };
    for (message_id, to_key) in [(1, 7), (1, 8), (2, 7), (3, 7)] {
        messages.begin(message_id, to_key, "mail", 0, 10).await.unwrap();
    }
    let drill = messages.begin_drill(11).await.unwrap();
    messages.begin(drill, 7, "mail", 0, 11).await.unwrap();
    assert_eq!(shown(7, 0).await, [(3, None), (2, None), (1, None)], "a rehearsal asks for no work");
    assert!(shown(9, 0).await.is_empty(), "who was not told sees nothing");

    // Who took it on first stands there for everybody who was told, and for a while only.
    messages.advance(1, 8, None, Reach::Acknowledged, 30).await.unwrap();
    messages.advance(1, 7, None, Reach::Acknowledged, 40).await.unwrap();
    assert_eq!(shown(7, 30).await, [(3, None), (2, None), (1, Some((8, 30)))]);
    assert!(shown(8, 31).await.is_empty());

    // What was given up still waits; what somebody has worked on since does not.
    messages.settle(3, Fate::GivenUp, 50).await.unwrap();
    does(&store.cases(), (keys[1], 1), Act::Claim {}, &who("lin", Role::Counselor), 60).await;
    assert_eq!(shown(7, 31).await, [(3, None)]);
}

#[tokio::test]
async fn a_delivery_is_begun_once_and_goes_forward_only() {
    let scene = Scene::new();
    let store = scene.open().await;
    let id = store.messages().begin_drill(1).await.unwrap();
    assert!(store.messages().begin(id, 7, "mail", 0, 10).await.unwrap());
    assert!(!store.messages().begin(id, 7, "mail", 1, 11).await.unwrap(), "who comes second does not send");
    let store = scene.reopen(store).await;
    let messages = store.messages();
    assert_eq!(messages.advance(id, 7, Some("mail"), Reach::Sent, 20).await.unwrap(), 1);
    assert_eq!(messages.advance(id, 7, None, Reach::Read, 40).await.unwrap(), 1);
    messages.advance(id, 7, Some("mail"), Reach::Sent, 30).await.unwrap();
    messages.advance(id, 7, Some("mail"), Reach::Read, 35).await.unwrap();
    assert_eq!(messages.advance(id, 8, None, Reach::Read, 40).await.unwrap(), 0, "nobody reads what went to another");
    let found = messages.deliveries(id).await.unwrap();
    let [only] = &found[..] else { panic!("{found:?}") };
    let times = (only.level, only.created_us, only.sent_us, only.failed_us, only.read_us, only.acknowledged_us);
    assert_eq!(times, (0, 10, Some(20), None, Some(35), None));
    assert!(messages.due(None, i64::MAX).await.unwrap().is_empty(), "a rehearsal asks nobody a second time");
}

#[tokio::test]
async fn whose_work_it_is_then_who_stands_in_then_one_level_up_then_who_is_on_duty() {
    let scene = Scene::new();
    let store = scene.open().await;
    let cases = store.cases();
    cases.assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
    cases.assign(Relation::Psychologist, "wang", &[STUDENT], 0).await.unwrap();
    let delegation = Delegation { from: "lin".to_owned(), to: "mei".to_owned(), from_us: 0, until_us: DAY_US };
    cases.delegate(&delegation).await.unwrap();
    for (post, account, backup) in [(Post::DutyOffice, "gao", Some("he")), (Post::PsychologyNight, "wang", None)] {
        let backup = backup.map(str::to_owned);
        let shift = DutyShift { post, account: account.to_owned(), backup, from_us: 0, until_us: DAY_US };
        cases.roster(&shift).await.unwrap();
    }
    let names = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let key = enter(&cases, Kind::LifeAid, machine(2), &Who::system(), 1).await;
    let asked = cases.asked_about(key, 2).await.unwrap();
    assert_eq!(asked, Asked { levels: vec![names(&["lin", "mei"]), names(&["wang"])], duty: names(&["gao", "wang", "he"]) });
    // A psychological matter is psychology's, and no delegation of the counselor's opens it.
    let talk = Act::Signal { source: Source::HumanReport, severity: Severity::General };
    let psych = enter(&cases, Kind::Psych, talk, &who("lin", Role::Counselor), 2).await;
    assert_eq!(cases.asked_about(psych, 3).await.unwrap().levels, [names(&["wang"])]);
    // After the shift and the delegation.
    let later = cases.asked_about(key, DAY_US).await.unwrap();
    assert_eq!(later, Asked { levels: vec![names(&["lin"]), names(&["wang"])], duty: Vec::new() });

    let hand_over = cases.offer_hand_over("lin", "mei", &[STUDENT], 3).await.unwrap();
    assert_eq!(told(&store).await.last().unwrap().0, "hand_over_asked");
    assert_eq!(cases.asked_to_take(hand_over).await.unwrap().levels, [names(&["mei"])]);
    cases.confirm_hand_over(hand_over, &who("mei", Role::Counselor), 4).await.unwrap();
    assert_eq!(cases.asked_to_take(hand_over).await.unwrap(), Asked::default());
}

#[tokio::test]
async fn before_the_duty_office_the_head_of_psychology_is_asked() {
    let scene = Scene::new();
    let store = scene.open().await;
    let cases = store.cases();
    cases.assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
    for (account, role) in [("qian", "psychology_head"), ("sun", "psychology_head"), ("li", "psychologist")] {
        let grants = vec![crate::Grant { role: role.to_owned(), scope: "university".to_owned() }];
        let new = crate::NewAccount { account, password: None, display_name: account, person_key: None, grants };
        store.accounts().create(new).await.unwrap();
    }
    store.accounts().disable("sun").await.unwrap();
    for (post, account) in [(Post::DutyOffice, "gao"), (Post::PsychologyNight, "wang")] {
        let shift = DutyShift { post, account: account.to_owned(), backup: None, from_us: 0, until_us: DAY_US };
        cases.roster(&shift).await.unwrap();
    }
    let names = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let help = Act::Signal { source: Source::SelfReferral, severity: Severity::General };
    let key = enter(&cases, Kind::Psych, help, &who("student", Role::Student), 1).await;
    let asked = cases.asked_for_help(key, 2).await.unwrap();
    let levels = vec![names(&["wang"]), names(&["lin"]), names(&["qian"])];
    assert_eq!(asked, Asked { levels, duty: names(&["gao", "wang"]) });
    let asked = cases.asked_to_place(2).await.unwrap();
    assert_eq!(asked.levels, [names(&["wang"]), names(&["qian"])], "psychology alone can read it");
    // With nobody on shift the head is the first to be asked.
    assert_eq!(cases.asked_to_place(DAY_US).await.unwrap().levels, [names(&["qian"])]);
}

#[tokio::test]
async fn each_row_of_a_list_is_told_once_whatever_is_started_anew_in_between() {
    let scene = Scene::new();
    let store = scene.open().await;
    let rows = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>();
    let list = "list_gate_fault";
    assert_eq!(store.messages().tell_list(list, &rows(&["G1|silent|7", "G2|silent|7"]), 10).await.unwrap(), 2);
    assert_eq!(store.messages().tell_list(list, &rows(&["G1|silent|7"]), 11).await.unwrap(), 0);
    let ready = || ("list_ready".to_owned(), None, true);
    assert_eq!(told(&store).await, [ready()], "one message, however many rows");
    let store = scene.reopen(store).await;
    assert_eq!(store.messages().tell_list(list, &rows(&["G1|silent|7", "G1|silent|8"]), 12).await.unwrap(), 1);
    assert_eq!(told(&store).await, [ready()], "what goes on is no news within the hour");
    let later = 12 + 61 * 60 * 1_000_000;
    assert_eq!(store.messages().tell_list(list, &rows(&["G1|silent|7", "G1|silent|9"]), later).await.unwrap(), 1);
    assert_eq!(store.messages().tell_list("list_gate_crowd", &rows(&["G1|silent|7"]), later).await.unwrap(), 1);
    assert_eq!(told(&store).await, [ready(), ready(), ready()]);
}

#[tokio::test]
async fn that_the_list_of_a_night_is_complete_each_reader_hears_once() {
    let scene = Scene::new();
    let store = scene.open().await;
    let names = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>();
    assert_eq!(store.messages().tell_night("2025-11-03", &names(&["song"]), 10).await.unwrap(), 1);
    // The building of another keeper closes later.
    assert_eq!(store.messages().tell_night("2025-11-03", &names(&["song", "bai"]), 11).await.unwrap(), 1);
    let store = scene.reopen(store).await;
    assert_eq!(store.messages().tell_night("2025-11-03", &names(&["song", "bai"]), 12).await.unwrap(), 0);
    assert_eq!(store.messages().tell_night("2025-11-04", &names(&["song"]), 13).await.unwrap(), 1);
    let open = store.messages().due(None, i64::MAX).await.unwrap();
    let said: Vec<(&str, Option<&str>)> = open.iter().map(|it| (it.kind.as_str(), it.to_account.as_deref())).collect();
    assert_eq!(said, [("list_ready", Some("song")), ("list_ready", Some("bai")), ("list_ready", Some("song"))]);
    assert!(open.iter().all(|it| it.severity.is_none() && it.is_of_machine), "{open:?}");
}

#[tokio::test]
async fn of_a_list_about_nobody_security_and_the_duty_office_are_told() {
    let scene = Scene::new();
    let store = scene.open().await;
    let cases = store.cases();
    assert_eq!(cases.asked_to_look(5).await.unwrap(), Asked { levels: Vec::new(), duty: Vec::new() });
    for (post, account) in [(Post::PsychologyNight, "wang"), (Post::DutyOffice, "gao"), (Post::SecurityOffice, "shi")] {
        let shift = DutyShift { post, account: account.to_owned(), backup: None, from_us: 0, until_us: DAY_US };
        cases.roster(&shift).await.unwrap();
    }
    let levels = vec![vec!["shi".to_owned(), "gao".to_owned()]];
    assert_eq!(cases.asked_to_look(5).await.unwrap(), Asked { levels, duty: Vec::new() });
}

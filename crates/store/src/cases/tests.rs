//! Cases as counselors, psychologists and two editors at once meet them.

mod night;
mod racing;
mod reaching;
mod recording;

use casework::{
    AbsenceResult, Act, Admission, Code, Command, CrisisStep, DAY_US, Guardian, HOUR_US, How, Kind, LabelScheme,
    ObservationReport, Outcome, Post, Reached, Refusal, Relation, Role, Rules, Severity, Sight, Sign, Source, State, StepName,
};

use super::*;
use crate::scene::Scene;
use crate::{Error, Store};

const STUDENT: i64 = 123_456_789_012_345;

pub(super) fn who(account: &str, role: Role) -> Who {
    Who { account: account.to_owned(), role }
}

pub(super) fn lin() -> Who {
    who("lin", Role::Counselor)
}

fn wang() -> Who {
    who("wang", Role::Psychologist)
}

pub(super) fn command(act: Act) -> Command {
    Command { act, reason: Code::new("as_seen").unwrap() }
}

pub(super) fn signal(source: Source, level: i64) -> Command {
    command(Act::Signal { source, severity: Severity::try_from(level).unwrap() })
}

/// A store where lin is the counselor of a student and wang the psychologist of the college.
async fn opened(scene: &Scene) -> Store {
    let store = scene.open().await;
    let cases = store.cases();
    cases.assign(Relation::Counselor, "lin", &[STUDENT], 0).await.unwrap();
    cases.assign(Relation::Psychologist, "wang", &[STUDENT], 0).await.unwrap();
    store
}

/// Enters something as somebody, at an instant.
async fn enter(cases: &Cases, kind: Kind, command: Command, by: &Who, now: i64) -> Result<Entered, Error> {
    let entry = NewEntry { student_key: STUDENT, kind, command: &command, note: None };
    cases.enter(entry, by, &Rules::default(), now).await
}

/// Does something on the newest version.
async fn does(cases: &Cases, thread_key: i64, act: Act, by: &Who, now: i64) -> Result<Done, Error> {
    let version: i64 = sqlx::query_scalar("SELECT version FROM case_thread WHERE thread_key = $1")
        .bind(thread_key)
        .fetch_one(cases.database.read())
        .await
        .unwrap();
    let edit = Edit { thread_key, seen_version: version, command: &command(act), note: None };
    cases.execute(edit, by, &Rules::default(), now).await
}

async fn does_all(cases: &Cases, thread_key: i64, by: &Who, acts: Vec<Act>) {
    for act in acts {
        does(cases, thread_key, act, by, 10).await.unwrap();
    }
}

fn close() -> Act {
    Act::Close { outcome: Outcome::NeededSupport, reached: Reached::InPerson, how: How::Single }
}

fn to_the_end(severity: i64) -> Vec<Act> {
    vec![
        Act::Claim {},
        Act::Contact { reached: Reached::InPerson },
        Act::Assess { severity: Severity::try_from(severity).unwrap() },
        Act::Plan {},
        Act::Review { is_quiet: true },
        close(),
    ]
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::CaseRefused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_case_survives_the_process_and_adds_up_to_what_lists_show() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let entered = enter(&store.cases(), Kind::Academic, signal(Source::Machine, 2), &Who::system(), 1).await.unwrap();
    assert_eq!((entered.admission, entered.version), (Admission::Opens, 1));
    let key = entered.thread_key.unwrap();
    does(&store.cases(), key, Act::Claim {}, &lin(), 2).await.unwrap();
    let store = scene.reopen(store).await;
    let cases = store.cases();

    let view = cases.view(key, &lin(), &LabelScheme::default(), 3).await.unwrap().expect("a case");
    let thread = view.thread.expect("the record");
    assert_eq!((view.sight, thread.state, thread.version), (Sight::Record, State::Claimed, 2));
    let queue = cases.queue(&lin(), Page { after: None, limit: 10 }, &LabelScheme::default(), 3).await.unwrap();
    assert_eq!(view.row.as_ref(), queue.first());
    assert_eq!((queue.len(), queue[0].deadline_us), (1, thread.deadline_us));
}

#[tokio::test]
async fn a_second_editor_is_told_what_the_first_did() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = enter(&cases, Kind::Academic, signal(Source::Machine, 2), &Who::system(), 1).await.unwrap().thread_key.unwrap();
    does(&cases, key, Act::Claim {}, &lin(), 2).await.unwrap();

    let contact = command(Act::Contact { reached: Reached::Phone });
    let stale = Edit { thread_key: key, seen_version: 1, command: &contact, note: Some("said hello") };
    let refused = cases.execute(stale, &lin(), &Rules::default(), 3).await.unwrap_err();

    let Error::CaseStale { version: 2, changes, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(changes, [Change { actor: Some("lin".to_owned()), step: Some(StepName::Claimed), at_us: 2 }]);
    let text = change_text(&changes);
    assert_eq!(text.zh, "您编辑期间：lin 认领。请刷新后再试，您的内容未保存。");
    assert_eq!(text.en, "While you were editing, lin claimed it. Look again; yours was not saved.");
    assert_eq!(cases.history(key, &lin(), 0, 10, 3).await.unwrap().len(), 2, "nothing was added");
}

#[tokio::test]
async fn one_open_case_a_student_and_kind_and_people_are_never_cooled_down() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let machine = |now| enter(&cases, Kind::Academic, signal(Source::Machine, 1), SYSTEM.get(), now);
    let first = machine(1).await.unwrap();
    let key = first.thread_key.unwrap();
    assert_eq!(machine(2).await.unwrap(), Entered { thread_key: Some(key), version: 2, admission: Admission::Bundled });
    let other = enter(&cases, Kind::LifeAid, signal(Source::Machine, 1), &Who::system(), 2).await.unwrap();
    assert_ne!(other.thread_key, Some(key), "another kind is another case");

    let shortcut = Act::Close { outcome: Outcome::ExcludedDevice, reached: Reached::GateOnly, how: How::Shortcut };
    does(&cases, key, shortcut, &lin(), 3).await.unwrap();
    let cooled = machine(4).await.unwrap();
    assert_eq!((cooled.thread_key, cooled.admission), (None, Admission::CooledDown));
    let reported = enter(&cases, Kind::Academic, signal(Source::HumanReport, 1), &lin(), 4).await.unwrap();
    assert_eq!(reported.admission, Admission::Opens);
    assert_eq!(machine(5 + 14 * DAY_US).await.unwrap().admission, Admission::Bundled, "into the reported one");
}

/// A constant for closures that outlive a temporary.
struct SystemWho(std::sync::OnceLock<Who>);
static SYSTEM: SystemWho = SystemWho(std::sync::OnceLock::new());
impl SystemWho {
    fn get(&self) -> &Who {
        self.0.get_or_init(Who::system)
    }
}

#[tokio::test]
async fn who_sees_nothing_of_a_case_is_told_there_is_none() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = enter(&cases, Kind::Psych, signal(Source::HumanReport, 2), &lin(), 1).await.unwrap().thread_key.unwrap();
    for stranger in [who("he", Role::Counselor), who("an", Role::Analyst), who("lin", Role::Student), who("x", Role::Leader)] {
        let edit = Edit { thread_key: key, seen_version: 1, command: &command(Act::Claim {}), note: None };
        let refused = cases.execute(edit, &stranger, &Rules::default(), 2).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("there is no case {key}"), "{stranger:?}");
        assert!(matches!(cases.history(key, &stranger, 0, 10, 2).await, Err(Error::NoSuchCase { .. })));
        assert_eq!(cases.view(key, &stranger, &LabelScheme::default(), 2).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_counselor_reads_no_note_of_psychology_and_no_grave_number() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = enter(&cases, Kind::Psych, signal(Source::HumanReport, 2), &lin(), 1).await.unwrap().thread_key.unwrap();
    let three = command(Act::SetSeverity { severity: Severity::Serious });
    let edit = Edit { thread_key: key, seen_version: 1, command: &three, note: Some("谈话记录") };
    cases.execute(edit, &wang(), &Rules::default(), 2).await.unwrap();

    let history = cases.history(key, &lin(), 0, 10, 3).await.unwrap();
    assert_eq!(
        history.iter().map(|it| (it.note.is_some(), it.event.is_some())).collect::<Vec<_>>(),
        [(false, true), (false, false)]
    );
    let view = cases.view(key, &lin(), &LabelScheme::default(), 3).await.unwrap().expect("a case");
    assert_eq!(view.thread, None);
    let severity = view.row.unwrap().severity.unwrap();
    assert_eq!((severity.text.zh.as_str(), severity.severity), ("重点关怀", None));
    let full = cases.history(key, &wang(), 0, 10, 3).await.unwrap();
    assert_eq!(full[1].note.as_deref(), Some("谈话记录"));
}

#[tokio::test]
async fn nothing_somebody_wrote_is_readable_on_disk() {
    let scene = Scene::minting(crate::Mint::Random);
    let store = opened(&scene).await;
    let cases = store.cases();
    let report =
        ObservationReport { student_key: STUDENT, signs: vec![Sign::Farewell], is_urgent: false, seen_day: Some(20_000) };
    cases.report(&report, "三天没下床了", &who("zhou", Role::DormHead), &Rules::default(), 1).await.unwrap();
    let claim = command(Act::Claim {});
    let edit = Edit { thread_key: 1, seen_version: 1, command: &claim, note: Some("约了明天见面") };
    cases.execute(edit, &lin(), &Rules::default(), 2).await.unwrap();
    let campaign = casework::ScreeningCampaign {
        name: "newcomers".to_owned(),
        consent_version: "2025-1".to_owned(),
        n_due: 1,
        n_done: 1,
        n_to_talk: 0,
        n_talked: 0,
    };
    cases.keep_campaign(&campaign).await.unwrap();
    cases.keep_scores("newcomers", &[(STUDENT, "score=271828")], &wang()).await.unwrap();
    let bytes = scene.bytes();
    let holds = |text: &str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    for secret in ["三天没下床了", "约了明天见面", "score=271828"] {
        assert!(!holds(secret), "{secret} is readable");
    }
    assert!(holds("farewell"), "the search finds nothing at all");
    assert_eq!(cases.score("newcomers", STUDENT, &wang()).await.unwrap().as_deref(), Some("score=271828"));
    assert_eq!(refusal(cases.score("newcomers", STUDENT, &lin()).await), Refusal::NotYours);
    assert_eq!(cases.campaign("newcomers").await.unwrap(), Some(campaign));
}

#[tokio::test]
async fn an_upload_of_scores_is_kept_whole_or_not_at_all() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let campaign = casework::ScreeningCampaign {
        name: "newcomers".to_owned(),
        consent_version: "2025-1".to_owned(),
        n_due: 2_000,
        n_done: 2_000,
        n_to_talk: 0,
        n_talked: 0,
    };
    store.cases().keep_campaign(&campaign).await.unwrap();
    // More than one statement takes; the last two of them are made to collide.
    let scores: Vec<(i64, &str)> = (1..=1_201).map(|it| (it, "61")).collect();
    let collide = "CREATE UNIQUE INDEX planted ON screening_score (name) WHERE student_key > 1199";
    let mut tx = store.database().begin("screening_score").await.unwrap();
    sqlx::raw_sql(collide).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let refused = store.cases().keep_scores("newcomers", &scores, &wang()).await;
    assert!(matches!(refused, Err(Error::Database { .. })), "{refused:?}");
    let store = scene.reopen(store).await;
    assert_eq!(store.cases().campaigns(&wang()).await.unwrap()[0].score_n, 0, "a part of them was kept");

    store.cases().keep_scores("newcomers", &scores[..1_200], &wang()).await.unwrap();
    store.cases().keep_scores("newcomers", &[(1_200, "58.5")], &wang()).await.unwrap();
    store.cases().keep_scores("newcomers", &[], &wang()).await.unwrap();
    assert_eq!(store.cases().campaigns(&wang()).await.unwrap()[0].score_n, 1_200);
    for (key, score) in [(1, "61"), (1_199, "61"), (1_200, "58.5")] {
        assert_eq!(store.cases().score("newcomers", key, &wang()).await.unwrap().as_deref(), Some(score), "{key}");
    }
    assert_eq!(refusal(store.cases().keep_scores("newcomers", &scores, &lin()).await), Refusal::NotYours);
}

#[tokio::test]
async fn a_reporter_gets_an_answer_and_never_the_case() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let zhou = who("zhou", Role::DormHead);
    let report = ObservationReport { student_key: STUDENT, signs: vec![Sign::Withdrawn], is_urgent: false, seen_day: None };
    let first = cases.report(&report, "", &zhou, &Rules::default(), 1).await.unwrap();
    let second = cases.report(&report, "还是一个人", &zhou, &Rules::default(), 2).await.unwrap();
    let mine = cases.my_reports("zhou", None, 10).await.unwrap();
    assert_eq!(mine.iter().map(|it| it.report_key).collect::<Vec<_>>(), [second, first]);
    assert_eq!((mine[0].feedback.clone(), mine[0].is_answered), (casework::feedback(None), false));
    assert!(cases.my_reports("he", None, 10).await.unwrap().is_empty());
    assert!(matches!(cases.reports_of(1, &zhou, 0, 10, 3).await, Err(Error::NoSuchCase { .. })));
    let read = cases.reports_of(1, &lin(), 0, 10, 3).await.unwrap();
    assert_eq!((read.len(), read[1].text.as_str(), read[1].signs.as_slice()), (2, "还是一个人", &[Sign::Withdrawn][..]));

    does_all(&cases, 1, &lin(), to_the_end(1)).await;
    let mine = cases.my_reports("zhou", None, 10).await.unwrap();
    assert!(mine.iter().all(|it| it.is_answered && it.feedback.zh.contains("谢谢你的关心")));
    assert!(matches!(cases.report(&report, &"a".repeat(9_000), &zhou, &Rules::default(), 9).await, Err(Error::Inconsistent(_))));
}

#[tokio::test]
async fn facts_leave_numbered_without_gaps_and_without_names_or_notes() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = enter(&cases, Kind::Psych, signal(Source::HumanReport, 2), &lin(), 1).await.unwrap().thread_key.unwrap();
    does_all(&cases, key, &lin(), to_the_end(2)).await;
    assert_eq!(refusal(does(&cases, key, Act::Claim {}, &lin(), 20).await), Refusal::Closed);

    let facts = cases.outbox("case_state", 0, 100).await.unwrap();
    assert_eq!(facts.iter().map(|it| it.seq).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
    assert!(facts.iter().all(|it| it.topic == "case_state" && !it.body.contains("lin")));
    let last: serde_json::Value = serde_json::from_str(&facts[6].body).unwrap();
    assert_eq!((&last["state"], &last["outcome"], &last["version"]), (&"closed".into(), &"needed_support".into(), &7.into()));
    assert_eq!(cases.forget_facts("case_state", 5).await.unwrap(), 5);
    enter(&cases, Kind::Academic, signal(Source::Machine, 1), &Who::system(), 30).await.unwrap();
    let seqs: Vec<i64> = cases.outbox("case_state", 5, 100).await.unwrap().iter().map(|it| it.seq).collect();
    assert_eq!(seqs, [6, 7, 8], "numbers go on");
}

#[tokio::test]
async fn the_database_refuses_to_change_what_happened() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    enter(&store.cases(), Kind::Psych, signal(Source::HumanReport, 2), &lin(), 1).await.unwrap();
    let looked = NewAbsenceCheck { student_key: STUDENT, night_day: 20_000, result: AbsenceResult::InRoom, note: None };
    store.cases().check_absence(&looked, &lin(), 1).await.unwrap();
    let said = NewTalkHours { account: "lin", staff_key: 7, minutes_a_week: 90, from_day: 20_000 };
    store.cases().say_talk_hours(&said, "lin", 1).await.unwrap();
    for sql in [
        "UPDATE case_event SET actor = 'x'",
        "DELETE FROM case_event",
        "UPDATE absence_check SET result = 'x'",
        "DELETE FROM absence_check",
        "UPDATE talk_hours SET minutes_a_week = 0",
        "DELETE FROM talk_hours",
    ] {
        let mut tx = store.database().begin("case_event").await.unwrap();
        let refused = sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
    let mut tx = store.database().begin("case_thread").await.unwrap();
    let closed = sqlx::query("UPDATE case_thread SET state = 'closed'").execute(&mut *tx).await;
    assert!(closed.is_err(), "no closing without outcome and who was reached");
}

#[tokio::test]
async fn hours_for_talks_hold_from_their_day_and_leave_for_the_lake() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    for (minutes_a_week, from_day) in [(240, 20_010), (90, 20_000), (120, 20_000)] {
        let said = NewTalkHours { account: "lin", staff_key: 7, minutes_a_week, from_day };
        cases.say_talk_hours(&said, "lin", from_day).await.unwrap();
    }
    let too_many = NewTalkHours { account: "lin", staff_key: 7, minutes_a_week: 2_401, from_day: 20_000 };
    assert!(cases.say_talk_hours(&too_many, "lin", 1).await.is_err());
    let said: Vec<(i64, i64)> =
        cases.talk_hours("lin").await.unwrap().iter().map(|it| (it.from_day, it.minutes_a_week)).collect();
    assert_eq!(said, [(20_000, 90), (20_000, 120), (20_010, 240)], "the later of two answers about one day stands last");
    assert!(cases.talk_hours("mei").await.unwrap().is_empty());
    let facts = cases.outbox("talk_hours", 0, 10).await.unwrap();
    let last: serde_json::Value = serde_json::from_str(&facts[2].body).unwrap();
    assert_eq!(
        last,
        serde_json::json!({ "entry_no": 3, "staff_key": 7, "minutes_a_week": 120, "from_on": "2024-10-04", "at": 20_000 })
    );
}

#[tokio::test]
async fn a_hand_over_changes_hands_in_one_moment() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = enter(&cases, Kind::Academic, signal(Source::Machine, 2), &Who::system(), 1).await.unwrap().thread_key.unwrap();
    let mei = who("mei", Role::Counselor);
    let plan = casework::FollowUpPlan { owner: "lin".to_owned(), from_us: 0, term_ends_us: 0 };
    assert_eq!(cases.plan_follow_up(STUDENT, &plan).await.unwrap(), 7);
    assert_eq!(refusal(cases.offer_hand_over("mei", "lin", &[STUDENT], 2).await), Refusal::HandOverStranger);
    let offer = cases.offer_hand_over("lin", "mei", &[STUDENT], 2).await.unwrap();
    assert_eq!(refusal(cases.confirm_hand_over(offer, &who("he", Role::Counselor), 3).await), Refusal::HandOverStranger);
    cases.confirm_hand_over(offer, &mei, 3).await.unwrap();
    assert!(matches!(does(&cases, key, Act::Claim {}, &mei, 4).await, Err(Error::NoSuchCase { .. })), "not yet");
    assert_eq!(cases.hand_overs("lin", 10).await.unwrap().len(), 1);
    cases.confirm_hand_over(offer, &lin(), 5).await.unwrap();

    assert!(matches!(does(&cases, key, Act::Claim {}, &lin(), 6).await, Err(Error::NoSuchCase { .. })), "no longer");
    does(&cases, key, Act::Claim {}, &mei, 6).await.unwrap();
    assert_eq!(cases.follow_ups("mei", i64::MAX, 10).await.unwrap().len(), 7);
    assert!(cases.hand_overs("mei", 10).await.unwrap().is_empty());
    assert_eq!(cases.without_counselor(&[STUDENT, 7], 6).await.unwrap(), [7]);
}

#[tokio::test]
async fn what_nobody_confirms_in_time_is_the_secretarys_of_that_college_and_of_no_other() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    // Of two students of the hand-over the second is of another college.
    cases.assign(Relation::Counselor, "lin", &[8], 0).await.unwrap();
    cases.assign(Relation::Secretary, "gao", &[STUDENT], 0).await.unwrap();
    cases.assign(Relation::Secretary, "tang", &[9], 0).await.unwrap();
    let (gao, tang) = (who("gao", Role::CollegeSecretary), who("tang", Role::CollegeSecretary));
    let offer = cases.offer_hand_over("lin", "mei", &[STUDENT, 8], 0).await.unwrap();
    let late = 3 * casework::DAY_US;
    assert!(cases.overdue_hand_overs(&gao, late - 1, 10).await.unwrap().is_empty(), "there is time yet");
    assert_eq!(refusal(cases.take_over(offer, &gao, late - 1).await), Refusal::HandOverOver);
    assert_eq!(cases.overdue_hand_overs(&gao, late, 10).await.unwrap().len(), 1);
    assert!(cases.overdue_hand_overs(&tang, late, 10).await.unwrap().is_empty());
    assert!(cases.overdue_hand_overs(&lin(), late, 10).await.unwrap().is_empty());
    assert_eq!(refusal(cases.take_over(offer, &tang, late).await), Refusal::HandOverStranger);
    cases.take_over(offer, &gao, late).await.unwrap();
    assert_eq!(cases.students_of("gao", late).await.unwrap(), [STUDENT]);
    assert_eq!(cases.students_of("lin", late).await.unwrap(), [8], "who is of another college stays");
    assert!(cases.overdue_hand_overs(&gao, late, 10).await.unwrap().is_empty());
    assert_eq!(refusal(cases.take_over(offer, &gao, late).await), Refusal::HandOverOver);
}

#[tokio::test]
async fn an_answer_given_again_is_nothing_new_and_another_is_a_correction() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let keeper = who("he", Role::DormKeeper);
    let of = |result, note| NewAbsenceCheck { student_key: STUDENT, night_day: 20_000, result, note };
    assert!(cases.check_absence(&of(AbsenceResult::NotFound, None), &keeper, 5).await.unwrap());
    assert!(!cases.check_absence(&of(AbsenceResult::NotFound, None), &keeper, 6).await.unwrap());
    assert!(!cases.check_absence(&of(AbsenceResult::NotFound, Some("  ")), &lin(), 6).await.unwrap(), "two who say the same");
    assert!(cases.check_absence(&of(AbsenceResult::Contacted, Some("在图书馆")), &lin(), 7).await.unwrap());
    let found = cases.absence_checks(20_000).await.unwrap();
    assert_eq!(found.len(), 1);
    let expected = (AbsenceResult::Contacted, "lin", 7, Some("在图书馆"), 2);
    let it = &found[0];
    assert_eq!((it.result, it.actor.as_str(), it.at_us, it.note.as_deref(), it.n_answers), expected);
    assert!(cases.absence_checks(20_001).await.unwrap().is_empty(), "another night");
    let facts = cases.outbox("absence_check", 0, 10).await.unwrap();
    let results: Vec<serde_json::Value> = facts.iter().map(|it| serde_json::from_str(&it.body).unwrap()).collect();
    assert_eq!(results.iter().map(|it| it["result"].as_str().unwrap()).collect::<Vec<_>>(), ["not_found", "contacted"]);
    assert!(facts.iter().all(|it| !it.body.contains("he\"") && !it.body.contains("lin") && !it.body.contains("图书馆")));
    let work = cases.work_of("lin", 0, 100, 0).await.unwrap();
    assert_eq!(work, [(0, "absence_check".to_owned(), 1)]);
    let later = 7 + 30 * casework::MINUTE_US;
    assert!(!cases.check_absence(&of(AbsenceResult::Contacted, None), &lin(), later - 1).await.unwrap());
    assert!(cases.check_absence(&of(AbsenceResult::Contacted, None), &lin(), later).await.unwrap(), "who looks again");
    let found = cases.absence_checks(20_000).await.unwrap();
    let it = &found[0];
    assert_eq!((it.at_us, it.n_answers), (later, 3));
}

#[tokio::test]
async fn a_crisis_says_whom_to_call_and_a_shift_whom_it_is_about() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    cases.assign(Relation::Secretary, "gao", &[STUDENT], 0).await.unwrap();
    let night = casework::DutyShift {
        post: casework::Post::SecurityOffice,
        account: "bao".to_owned(),
        backup: Some("an".to_owned()),
        from_us: 0,
        until_us: 10,
    };
    cases.roster(&night).await.unwrap();
    let bao = who("bao", Role::Security);
    assert!(cases.on_call_students(&bao, 1).await.unwrap().is_empty(), "nothing goes on");
    enter(&cases, Kind::Psych, command(Act::Declare { is_danger_immediate: false }), &lin(), 1).await.unwrap();
    assert_eq!(cases.on_call_students(&bao, 2).await.unwrap(), [STUDENT]);
    assert!(cases.on_call_students(&bao, 10).await.unwrap().is_empty(), "off shift");
    assert!(cases.on_call_students(&who("yi", Role::Security), 2).await.unwrap().is_empty(), "not on the roster");
    assert!(cases.on_call_students(&who("bao", Role::DormKeeper), 2).await.unwrap().is_empty(), "another role");
    // The shift reads that somebody is to be looked for, and not that psychology knows them.
    let page = Page { after: None, limit: 10 };
    let seen = cases.queue(&bao, page, &LabelScheme::default(), 2).await.unwrap();
    assert_eq!((seen[0].kind, seen[0].severity.clone()), (Kind::Safety, None));

    let steps = [CrisisStep::Telephone, CrisisStep::TellSecretary, CrisisStep::TellSecurity, CrisisStep::MedicalHandOver];
    let calls = cases.calls(STUDENT, &steps, 2).await.unwrap();
    let named: Vec<_> = calls.iter().map(|it| (it.step, it.account.as_str(), it.is_backup)).collect();
    let expected = [
        (CrisisStep::Telephone, "lin", false),
        (CrisisStep::TellSecretary, "gao", false),
        (CrisisStep::TellSecurity, "bao", false),
        (CrisisStep::TellSecurity, "an", true),
    ];
    assert_eq!(named, expected);
}

#[tokio::test]
async fn a_delegation_lets_somebody_in_and_out_again() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = enter(&cases, Kind::Academic, signal(Source::Machine, 2), &Who::system(), 1).await.unwrap().thread_key.unwrap();
    let mei = who("mei", Role::Counselor);
    let delegation = Delegation { from: "lin".to_owned(), to: "mei".to_owned(), from_us: 0, until_us: 10 };
    cases.delegate(&delegation).await.unwrap();
    let page = Page { after: None, limit: 10 };
    assert_eq!(cases.queue(&mei, page, &LabelScheme::default(), 9).await.unwrap().len(), 1);
    does(&cases, key, Act::Claim {}, &mei, 9).await.unwrap();
    assert!(cases.queue(&mei, page, &LabelScheme::default(), 10).await.unwrap().is_empty());
    assert!(matches!(does(&cases, key, close(), &mei, 10).await, Err(Error::NoSuchCase { .. })));
    let endless = Delegation { until_us: i64::MAX, ..delegation };
    assert_eq!(refusal(cases.delegate(&endless).await), Refusal::DelegationSpan);
}

#[tokio::test]
async fn who_is_on_shift_takes_part_in_a_crisis_and_only_then() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let wu = who("wu", Role::Security);
    let shift = |until_us, backup: Option<&str>| casework::DutyShift {
        post: Post::SecurityOffice,
        account: "wu".to_owned(),
        backup: backup.map(str::to_owned),
        from_us: 0,
        until_us,
    };
    cases.roster(&shift(8 * HOUR_US, None)).await.unwrap();
    assert_eq!(cases.roster_gaps(Post::SecurityOffice, 0, HOUR_US).await.unwrap(), [(0, HOUR_US)], "no backup");
    cases.roster(&shift(8 * HOUR_US, Some("qi"))).await.unwrap();
    assert_eq!(cases.roster_gaps(Post::SecurityOffice, 0, HOUR_US).await.unwrap(), []);
    assert_eq!(cases.on_duty(Post::SecurityOffice, HOUR_US).await.unwrap().len(), 1);

    let declare = command(Act::Declare { is_danger_immediate: true });
    let key = enter(&cases, Kind::Psych, declare, &lin(), 1).await.unwrap().thread_key.unwrap();
    let there = || Act::CrisisStep { step: casework::CrisisStep::OnSite, result: casework::CrisisResult::Done };
    let page = Page { after: None, limit: 10 };
    assert_eq!(cases.queue(&wu, page, &LabelScheme::default(), 2).await.unwrap().len(), 1);
    // Steps of a crisis only add: nobody is sent back because another was quicker.
    let step = command(there());
    let old = Edit { thread_key: key, seen_version: 0, command: &step, note: None };
    cases.execute(old, &wu, &Rules::default(), 2).await.unwrap();
    assert!(matches!(does(&cases, key, there(), &wu, 8 * HOUR_US).await, Err(Error::NoSuchCase { .. })));
    assert!(matches!(cases.history(key, &wu, 0, 10, 3).await, Err(Error::NoSuchCase { .. })), "the step, not the record");
    let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM crisis_step").fetch_one(cases.database.read()).await.unwrap();
    assert_eq!(steps, 1);
}

#[tokio::test]
async fn what_is_late_goes_up_and_what_is_mild_ends_by_itself() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let rules = Rules::default();
    let psych = enter(&cases, Kind::Psych, signal(Source::HumanReport, 3), &lin(), 1).await.unwrap().thread_key.unwrap();
    let mild = enter(&cases, Kind::Academic, signal(Source::Machine, 1), &Who::system(), 1).await.unwrap().thread_key.unwrap();
    assert_eq!(cases.tick(&rules, HOUR_US, 100).await.unwrap(), 0);
    assert_eq!(cases.tick(&rules, 25 * HOUR_US, 100).await.unwrap(), 1);
    assert_eq!(cases.tick(&rules, 25 * HOUR_US, 100).await.unwrap(), 0);
    let level = async |key: i64| {
        let found: (String, String) = sqlx::query_as("SELECT level, state FROM case_thread WHERE thread_key = $1")
            .bind(key)
            .fetch_one(cases.database.read())
            .await
            .unwrap();
        found
    };
    assert_eq!(level(psych).await.0, "college");
    cases.tick(&rules, 29 * DAY_US, 100).await.unwrap();
    assert_eq!(level(mild).await.1, "closed");
    assert_eq!(level(psych).await, ("university".to_owned(), "new".to_owned()));
    assert_eq!(cases.tick(&rules, 40 * DAY_US, 100).await.unwrap(), 0, "nobody stands above");
}

#[tokio::test]
async fn after_a_death_everything_stops() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let head = who("qian", Role::PsychologyHead);
    let key = enter(&cases, Kind::Psych, signal(Source::HumanReport, 2), &lin(), 1).await.unwrap().thread_key.unwrap();
    cases
        .plan_break(
            STUDENT,
            &casework::BreakFollowUp { owner: "lin".to_owned(), from_us: 0, until_us: DAY_US * 7, every_days: 3 },
        )
        .await
        .unwrap();
    let readers = ["qian".to_owned(), "sun".to_owned()];
    let death = NewDeath { student_key: STUDENT, died_day: 0, readers };
    assert_eq!(refusal(cases.die(&death, &head, false, &Rules::default(), 2).await), Refusal::NotYours);
    cases.die(&death, &head, true, &Rules::default(), 2).await.unwrap();
    assert_eq!(refusal(cases.die(&death, &head, true, &Rules::default(), 3).await), Refusal::Deceased, "once");
    let page = Page { after: None, limit: 10 };
    for reader in [lin(), wang(), head.clone()] {
        assert!(cases.queue(&reader, page, &LabelScheme::default(), 3).await.unwrap().is_empty(), "{reader:?}");
    }
    assert!(cases.follow_ups("lin", i64::MAX, 10).await.unwrap().is_empty());
    let machine = enter(&cases, Kind::Academic, signal(Source::Machine, 1), &Who::system(), 3).await;
    assert_eq!(refusal(machine), Refusal::Deceased);
    assert_eq!(cases.history(key, &head, 0, 10, 3).await.unwrap().len(), 2);
    assert!(matches!(cases.history(key, &wang(), 0, 10, 3).await, Err(Error::NoSuchCase { .. })));
    assert_eq!(cases.plan_postvention(7, "lin", 0).await.unwrap(), 3);
    let owed = cases.follow_ups("lin", 14 * DAY_US, 10).await.unwrap();
    assert_eq!((owed.len(), owed[0].cause), (1, FollowUpCause::Postvention));
    let talked = Code::new("talked").unwrap();
    assert!(cases.follow_up_done(owed[0].follow_up_key, "lin", &talked, 5).await.unwrap());
    assert!(!cases.follow_up_done(owed[0].follow_up_key, "lin", &talked, 6).await.unwrap());
}

#[tokio::test]
async fn another_profession_learns_only_that_somebody_follows_up() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    enter(&cases, Kind::Academic, signal(Source::Machine, 2), &Who::system(), 1).await.unwrap();
    enter(&cases, Kind::Psych, signal(Source::HumanReport, 2), &lin(), 1).await.unwrap();
    let views = cases.of_student(STUDENT, &wang(), &LabelScheme::default(), 2).await.unwrap();
    let sights: Vec<_> = views.iter().map(|it| (it.sight, it.row.is_some())).collect();
    assert_eq!(sights, [(Sight::Closed, true), (Sight::OtherProfession, false)]);
}

#[tokio::test]
async fn a_week_without_anything_is_an_answer() {
    let scene = Scene::new();
    let cases = scene.open().await.cases();
    let week = |n_reports| casework::WeeklyObservation { week_day: 20_000, scope: "dorm:N3-412".to_owned(), n_reports };
    cases.observe_week(&week(1), "zhou", 1).await.unwrap();
    cases.observe_week(&week(0), "zhou", 2).await.unwrap();
    assert_eq!(cases.week(20_000, "", 10).await.unwrap(), [week(0)]);
    assert!(cases.week(20_007, "", 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_ladder_step_is_listed_with_its_time_and_person() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let open = command(Act::OpenCheck { cause: casework::CheckCause::NoTrace, guardian: Guardian::Caution });
    let key = enter(&cases, Kind::Safety, open, &Who::system(), 0).await.unwrap().thread_key.unwrap();
    let step = Act::CheckStep {
        rung: casework::Rung::CallStudent,
        result: casework::CheckResult::Reached,
        reached: Some(Reached::Phone),
    };
    does(&cases, key, step, &lin(), HOUR_US).await.unwrap();
    let row: (String, String, Option<String>, i64, i64, String) =
        sqlx::query_as("SELECT rung, result, reached, due_us, at_us, actor FROM safety_check_step")
            .fetch_one(cases.database.read())
            .await
            .unwrap();
    let expected = ("call_student", "reached", Some("phone".to_owned()), 600_000_000, HOUR_US, "lin");
    assert_eq!((row.0.as_str(), row.1.as_str(), row.2, row.3, row.4, row.5.as_str()), expected);
}

#[tokio::test]
async fn a_report_of_nobodys_number_waits_until_somebody_says_who_was_meant() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let zhou = who("zhou", Role::DormHead);
    let report = ObservationReport { student_key: 0, signs: vec![Sign::Farewell], is_urgent: false, seen_day: Some(20_000) };
    let key = cases.report_unplaced("2023000999", &report, "送出了心爱的东西", &zhou, 1).await.unwrap();
    let known = ObservationReport { student_key: STUDENT, ..report.clone() };
    assert_eq!(cases.report(&known, "", &zhou, &Rules::default(), 2).await.unwrap(), key + 1, "keys count on over both");
    let bytes = scene.bytes();
    assert!(!bytes.windows(10).any(|it| it == b"2023000999"), "the number is readable");

    assert_eq!(refusal(cases.unplaced(&lin(), 10).await), Refusal::NotYours);
    let waiting = cases.unplaced(&wang(), 10).await.unwrap();
    assert_eq!(
        (waiting.len(), waiting[0].number.as_str(), waiting[0].report.text.as_str()),
        (1, "2023000999", "送出了心爱的东西")
    );
    let mine = cases.my_reports("zhou", None, 10).await.unwrap();
    assert_eq!((mine.len(), mine[1].seen_day, &mine[1].feedback), (2, Some(20_000), &mine[0].feedback));

    let thread_key = cases.place_unplaced(key, STUDENT, &wang(), &Rules::default(), 3).await.unwrap();
    assert!(cases.unplaced(&wang(), 10).await.unwrap().is_empty());
    let read = cases.reports_of(thread_key, &lin(), 0, 10, 4).await.unwrap();
    assert_eq!(read.iter().map(|it| (it.report_key, it.at_us)).collect::<Vec<_>>(), [(key, 1), (key + 1, 2)]);
    assert_eq!(read[0].reporter, "zhou");
    let again = cases.place_unplaced(key, STUDENT, &wang(), &Rules::default(), 5).await;
    assert!(matches!(again, Err(Error::NoSuchReport { .. })), "{again:?}");
}

#[tokio::test]
async fn a_work_list_is_cut_and_counted_as_it_is_wanted() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let study = enter(&cases, Kind::Academic, signal(Source::Machine, 2), &Who::system(), 1).await.unwrap().thread_key.unwrap();
    enter(&cases, Kind::LifeAid, signal(Source::Machine, 1), &Who::system(), 2).await.unwrap();
    does(&cases, study, Act::Claim {}, &lin(), 3).await.unwrap();
    let labels = LabelScheme::default();
    let found = async |wanted: Wanted| {
        let page = Page { after: None, limit: 10 };
        let rows = cases.queue_of(&lin(), wanted, page, &labels, 4).await.unwrap();
        rows.iter().map(|it| it.kind).collect::<Vec<_>>()
    };
    assert_eq!(found(Wanted::default()).await.len(), 2);
    assert_eq!(found(Wanted { is_mine: true, ..Wanted::default() }).await, [Kind::Academic]);
    assert_eq!(found(Wanted { state: Some(State::New), ..Wanted::default() }).await, [Kind::LifeAid]);
    assert_eq!(found(Wanted { kind: Some(Kind::Psych), ..Wanted::default() }).await, []);
    let counts = cases.queue_counts(&lin(), 40 * DAY_US).await.unwrap();
    assert_eq!(counts, QueueCounts { open_n: 2, overdue_n: 2, new_n: 1, mine_n: 1 });
    assert_eq!(cases.queue_counts(&who("zhao", Role::Counselor), 4).await.unwrap(), QueueCounts::default());
}

#[tokio::test]
async fn a_desk_offers_what_its_reader_may_do_and_hides_what_psychology_did() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = enter(&cases, Kind::Psych, signal(Source::HumanReport, 2), &lin(), 1).await.unwrap().thread_key.unwrap();
    let (labels, rules) = (LabelScheme::default(), Rules::default());
    does(&cases, key, Act::Claim {}, &lin(), 2).await.unwrap();
    let declare = Act::Declare { is_danger_immediate: false };
    does(&cases, key, declare, &wang(), 3).await.unwrap();
    does(&cases, key, Act::GrantTo { account: "zhou".to_owned() }, &wang(), 4).await.unwrap();

    let desk = cases.desk(key, &lin(), &labels, &rules, 5).await.unwrap().expect("a case");
    assert_eq!((desk.view.sight, desk.view.thread), (Sight::Record, None), "the level is in the thread");
    assert!(desk.crisis.is_some() && desk.forms.iter().any(|it| it.act == casework::ActName::CrisisStep && it.is_primary));
    let history = cases.history(key, &lin(), 0, 10, 5).await.unwrap();
    assert_eq!(history.iter().map(|it| it.event.is_some()).collect::<Vec<_>>(), [true, true, false, false]);
    assert!(cases.desk(key, &who("zhao", Role::Counselor), &labels, &rules, 5).await.unwrap().is_none());
    let study = enter(&cases, Kind::Academic, signal(Source::Machine, 1), &Who::system(), 6).await.unwrap().thread_key.unwrap();
    assert_eq!(cases.desk(key, &wang(), &labels, &rules, 7).await.unwrap().expect("a case").others_n, 1);
    let other = cases.desk(study, &wang(), &labels, &rules, 7).await.unwrap().expect("that there is one");
    assert_eq!((other.view.sight, other.view.row, other.forms), (Sight::OtherProfession, None, Vec::new()));
    assert_eq!(cases.latest_us().await.unwrap(), Some(6));
}

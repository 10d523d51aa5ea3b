//! Records, sweeps, deaths and contacts: who may, nothing twice, nothing readable on disk, nothing for the lake.

use casework::{
    BreakPlan, Calendar, CaseConference, ConferenceDecision, CrisisResult, CrisisStep, Discharge, GuardianContact,
    GuardianRelation, GuardianStanding, ParentsChoice, Record, RecordKind, ReturnDecision, ReturnReview, SweepAnswer,
    SweepMoment, Told,
};

use super::*;

const NOW: i64 = 20_000 * DAY_US;

async fn psych(cases: &Cases, level: i64) -> i64 {
    enter(cases, Kind::Psych, signal(Source::HumanReport, level), &lin(), NOW).await.unwrap().thread_key.unwrap()
}

async fn record(cases: &Cases, thread_key: i64, record: &Record, note: Option<&str>, by: &Who) -> Result<i64, Error> {
    cases.record(NewRecord { thread_key, record, note }, by, &Rules::default(), NOW).await
}

async fn count(store: &Store, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(store.database().read()).await.unwrap()
}

fn review(decision: ReturnDecision) -> Record {
    let (has_certificate, has_talk, has_plan, has_room) = (true, true, true, true);
    Record::ReturnReview(ReturnReview { has_certificate, has_talk, has_plan, has_room, decision, returns_day: Some(20_000) })
}

fn conference(decision: ConferenceDecision) -> Record {
    Record::Conference(CaseConference { held_us: NOW, members: vec!["wang".to_owned(), "gao".to_owned()], decision })
}

fn contact() -> Record {
    Record::GuardianContact(GuardianContact {
        at_us: NOW,
        relation: GuardianRelation::Mother,
        told: Told::Wellbeing,
        student_consented: true,
        is_signed: false,
    })
}

fn guardian(guardian: Guardian, choice: Option<ParentsChoice>) -> Record {
    Record::Guardian(GuardianStanding { guardian, is_minor: false, choice })
}

#[tokio::test]
async fn a_return_plans_its_contacts_once_and_a_discharge_does_not_double_them() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = psych(&cases, 3).await;
    assert_eq!(refusal(record(&cases, key, &review(ReturnDecision::Return), None, &lin()).await), Refusal::NotYours);
    record(&cases, key, &review(ReturnDecision::NotYet), None, &wang()).await.unwrap();
    assert_eq!(count(&store, "SELECT count(*) FROM follow_up").await, 0);
    let first = record(&cases, key, &review(ReturnDecision::Return), Some("约好每周三"), &wang()).await.unwrap();
    let again = record(&cases, key, &review(ReturnDecision::Return), Some("约好每周三"), &wang()).await.unwrap();
    assert_eq!(first, again, "sent twice, written once");
    record(&cases, key, &Record::Discharge(Discharge { discharged_day: 20_000 }), None, &lin()).await.unwrap();
    let owed = cases.follow_ups("lin", i64::MAX, 50).await.unwrap();
    let days: Vec<i64> = owed.iter().map(|it| Calendar::default().day(it.due_us) - 20_000).collect();
    assert_eq!(days, [7, 14, 28, 56, 84, 112, 140]);
    assert!(owed.iter().all(|it| it.with == With::Student(STUDENT) && it.cause == FollowUpCause::Return));
    assert_eq!(count(&store, "SELECT count(*) FROM case_record").await, 3);
    let store = scene.reopen(store).await;
    assert_eq!(store.cases().records_of(key, &wang(), 10, NOW).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_psychology_wrote_is_psychologys_and_nothing_of_it_is_readable_on_disk_or_for_the_lake() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = psych(&cases, 3).await;
    let told = count(&store, "SELECT count(*) FROM outbox").await;
    record(&cases, key, &contact(), Some("母亲说近来常吵架"), &wang()).await.unwrap();
    record(&cases, key, &review(ReturnDecision::Return), Some("与院系商定"), &wang()).await.unwrap();
    record(&cases, key, &Record::Discharge(Discharge { discharged_day: 20_000 }), Some("出院小结已收"), &lin()).await.unwrap();
    let rows = cases.records_of(key, &lin(), 10, NOW).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|it| (it.kind, it.record.is_some(), it.note.as_deref())).collect();
    let expected = [
        (RecordKind::Discharge, true, Some("出院小结已收")),
        (RecordKind::ReturnReview, true, None),
        (RecordKind::GuardianContact, false, None),
    ];
    assert_eq!(seen, expected);
    let whole = cases.records_of(key, &wang(), 10, NOW).await.unwrap();
    assert!(whole.iter().all(|it| it.record.is_some() && it.note.is_some()));
    assert!(matches!(cases.records_of(key, &who("he", Role::Counselor), 10, NOW).await, Err(Error::NoSuchCase { .. })));
    let stranger = record(&cases, key, &contact(), None, &who("he", Role::Counselor)).await;
    assert!(matches!(stranger, Err(Error::NoSuchCase { .. })), "{stranger:?}");
    let notes: Vec<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT note_sealed FROM case_record").fetch_all(store.database().read()).await.unwrap();
    assert!(notes.iter().flatten().all(|it| !it.windows(6).any(|part| part == "母亲".as_bytes())));
    assert_eq!(count(&store, "SELECT count(*) FROM outbox").await, told, "records are no facts for the lake");
    for sql in ["UPDATE case_record SET actor = 'x'", "DELETE FROM case_record"] {
        let mut tx = store.database().begin("case_record").await.unwrap();
        let refused = sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn only_a_conference_that_agreed_lets_a_crisis_end() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let declare = command(Act::Declare { is_danger_immediate: false });
    let key = enter(&cases, Kind::Psych, declare, &lin(), NOW).await.unwrap().thread_key.unwrap();
    for step in CrisisStep::ALL {
        does(&cases, key, Act::CrisisStep { step: *step, result: CrisisResult::Done }, &wang(), NOW).await.unwrap();
    }
    let end = async || does(&cases, key, Act::EndCrisis {}, &wang(), NOW).await;
    assert_eq!(refusal(end().await), Refusal::ConferenceMissing);
    record(&cases, key, &conference(ConferenceDecision::GoOn), None, &wang()).await.unwrap();
    assert_eq!(refusal(end().await), Refusal::ConferenceMissing);
    let agrees = conference(ConferenceDecision::EndCrisis);
    let before = count(&store, "SELECT count(*) FROM case_event").await;
    record(&cases, key, &agrees, None, &wang()).await.unwrap();
    record(&cases, key, &agrees, None, &wang()).await.unwrap();
    assert_eq!(count(&store, "SELECT count(*) FROM case_event").await, before + 1, "one conference, one step");
    end().await.unwrap();
}

#[tokio::test]
async fn caution_on_one_case_holds_on_every_other_of_the_student() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = psych(&cases, 2).await;
    record(&cases, key, &guardian(Guardian::Caution, None), None, &lin()).await.unwrap();
    let open = command(Act::OpenCheck { cause: casework::CheckCause::LostContact, guardian: Guardian::Normal });
    let safety = enter(&cases, Kind::Safety, open, &lin(), NOW).await.unwrap().thread_key.unwrap();
    let desk = cases.desk(safety, &lin(), &LabelScheme::default(), &Rules::default(), NOW).await.unwrap().unwrap();
    assert_eq!(desk.check.unwrap().guardian, Guardian::Caution);
    assert_eq!(refusal(record(&cases, safety, &contact(), None, &lin()).await), Refusal::ParentsUndecided);
    record(&cases, safety, &guardian(Guardian::Caution, Some(ParentsChoice::Call)), None, &wang()).await.unwrap();
    record(&cases, key, &contact(), None, &lin()).await.unwrap();
}

#[tokio::test]
async fn who_is_a_minor_by_the_registers_is_one_until_they_say_otherwise() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = psych(&cases, 2).await;
    let is_minor = async || {
        let desk = cases.desk(key, &lin(), &LabelScheme::default(), &Rules::default(), NOW).await.unwrap().unwrap();
        desk.family.is_minor
    };
    cases.keep_minors(&[7]).await.unwrap();
    assert!(!is_minor().await);
    cases.keep_minors(&[7, STUDENT]).await.unwrap();
    assert!(is_minor().await);
    // That nobody recorded it is no reason to think otherwise.
    record(&cases, key, &guardian(Guardian::Normal, None), None, &lin()).await.unwrap();
    assert!(is_minor().await);
    cases.keep_minors(&[]).await.unwrap();
    assert!(!is_minor().await, "of age");
}

#[tokio::test]
async fn a_break_plan_takes_the_place_of_the_one_before_and_the_list_of_those_without_follows() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = psych(&cases, 2).await;
    enter(&cases, Kind::Academic, signal(Source::Machine, 1), &Who::system(), NOW).await.unwrap();
    let offset_us = Calendar::default().offset_us;
    let span = (20_010 * DAY_US - offset_us, 20_040 * DAY_US - offset_us);
    let wanted = Wanted { without_break: Some(span), ..Wanted::default() };
    let page = Page { after: None, limit: 10 };
    let without = async || cases.queue_of(&lin(), wanted, page, &LabelScheme::default(), NOW).await;
    let keys: Vec<i64> = without().await.unwrap().iter().map(|it| it.thread_key).collect();
    assert_eq!(keys, [key], "what only machines say at severity 1 needs nobody");
    let plan = |every_days, owner: &str| {
        Record::BreakPlan(BreakPlan { owner: owner.to_owned(), from_day: 20_010, until_day: 20_040, every_days })
    };
    record(&cases, key, &plan(10, "lin"), None, &lin()).await.unwrap();
    assert_eq!(cases.follow_ups("lin", i64::MAX, 50).await.unwrap().len(), 3, "twice, and after the break");
    assert!(without().await.unwrap().is_empty());
    record(&cases, key, &plan(2, "mei"), None, &lin()).await.unwrap();
    assert!(cases.follow_ups("lin", i64::MAX, 50).await.unwrap().is_empty(), "another keeps in touch now");
    assert_eq!(cases.follow_ups("mei", i64::MAX, 50).await.unwrap().len(), 15, "nearer than three days, as the rhythm asks");
}

#[tokio::test]
async fn every_student_of_a_sweep_gets_an_answer_and_a_case_is_opened_once() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    cases.assign(Relation::Counselor, "lin", &[7, 8], 0).await.unwrap();
    let due = NOW + 14 * DAY_US;
    assert_eq!(refusal(cases.open_sweep("2025-2026-1", SweepMoment::TermStart, due, &lin(), NOW).await), Refusal::NotYours);
    let sweep = cases.open_sweep("2025-2026-1", SweepMoment::TermStart, due, &wang(), NOW).await.unwrap();
    assert_eq!(cases.open_sweep("2025-2026-1", SweepMoment::TermStart, due, &wang(), NOW).await.unwrap(), sweep);
    let rules = Rules::default();
    let answer = async |students: &[i64], answer, by: &Who| {
        cases.answer_sweep(sweep, students, (answer, Kind::Psych), by, (&rules, NOW)).await
    };
    let he = who("he", Role::Counselor);
    assert_eq!(refusal(answer(&[7], SweepAnswer::NothingSeen, &he).await), Refusal::NotYours);
    assert_eq!(refusal(answer(&[7, 9], SweepAnswer::NothingSeen, &lin()).await), Refusal::NotYours);
    assert_eq!(count(&store, "SELECT count(*) FROM risk_sweep_answer").await, 0, "all or none");
    assert_eq!(refusal(answer(&[7], SweepAnswer::InCare, &lin()).await), Refusal::NothingOpen);
    assert_eq!(refusal(answer(&[7, 8], SweepAnswer::CaseOpened, &lin()).await), Refusal::SingleOnly);
    answer(&[8], SweepAnswer::CaseOpened, &lin()).await.unwrap();
    answer(&[8], SweepAnswer::CaseOpened, &lin()).await.unwrap();
    answer(&[7], SweepAnswer::NothingSeen, &lin()).await.unwrap();
    assert_eq!(count(&store, "SELECT count(*) FROM case_event").await, 1);
    let left: Vec<_> = cases.swept(sweep, &lin(), NOW).await.unwrap().iter().map(|it| (it.student_key, it.answer)).collect();
    assert_eq!(left, [(STUDENT, None), (7, Some(SweepAnswer::NothingSeen)), (8, Some(SweepAnswer::CaseOpened))]);
    let progress = cases.sweep_progress(sweep, &wang(), NOW).await.unwrap();
    assert_eq!((progress[0].student_n, progress[0].answered_n, progress[0].nothing_n, progress[0].opened_n), (3, 2, 1, 1));
    assert!(cases.sweep_progress(sweep, &lin(), NOW).await.is_err());
}

#[tokio::test]
async fn after_a_death_those_around_are_cared_for_once_and_two_may_look() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    cases.assign(Relation::Counselor, "mei", &[8], 0).await.unwrap();
    let key = psych(&cases, 2).await;
    cases
        .plan_follow_up(STUDENT, &casework::FollowUpPlan { owner: "lin".to_owned(), from_us: NOW, term_ends_us: 0 })
        .await
        .unwrap();
    assert_eq!(store.messages().ask_follow_ups(NOW + 8 * DAY_US).await.unwrap(), 1);
    let grants = vec![crate::Grant { role: "student".to_owned(), scope: "own".to_owned() }];
    let new = crate::NewAccount { account: "s1", password: None, display_name: "s1", person_key: Some(STUDENT), grants };
    store.accounts().create(new).await.unwrap();
    let death = NewDeath { student_key: STUDENT, died_day: 19_999, readers: ["qian".to_owned(), "sun".to_owned()] };
    let qian = who("qian", Role::PsychologyHead);
    cases.die(&death, &qian, true, &Rules::default(), NOW).await.unwrap();
    let store = scene.reopen(store).await;
    let cases = store.cases();
    assert!(store.accounts().get("s1").await.unwrap().unwrap().is_disabled);
    assert_eq!((cases.withheld_from("lin").await.unwrap(), cases.withheld_from("sun").await.unwrap()), (vec![STUDENT], vec![]));
    assert_eq!(cases.deaths_for("sun").await.unwrap().len(), 1);
    assert!(cases.deaths_for("lin").await.unwrap().is_empty());
    assert_eq!(refusal(record(&cases, key, &contact(), None, &qian).await), Refusal::Deceased);
    let open = store.messages().due(None, i64::MAX).await.unwrap();
    for message in open.iter().filter(|it| it.follow_up_key.is_some() || it.thread_key == Some(key)) {
        assert!(store.messages().is_overtaken(message).await.unwrap(), "{message:?}");
    }
    assert_eq!(store.messages().ask_follow_ups(NOW + 100 * DAY_US).await.unwrap(), 0);

    let waiting = cases.deaths_to_plan().await.unwrap();
    let around = Around { students: vec![7, 8, STUDENT], staff: vec!["duty".to_owned(), "qian".to_owned()] };
    assert_eq!(cases.plan_around(&waiting[0], &around, 0, NOW).await.unwrap(), 9, "two students and one colleague, thrice");
    assert_eq!(cases.plan_around(&waiting[0], &around, 0, NOW).await.unwrap(), 0);
    assert!(cases.deaths_to_plan().await.unwrap().is_empty());
    let owed = |account: &'static str| cases.follow_ups(account, i64::MAX, 50);
    assert_eq!((owed("mei").await.unwrap().len(), owed("qian").await.unwrap().len()), (3, 6));
    assert!(owed("qian").await.unwrap().iter().any(|it| it.with == With::Colleague("duty".to_owned())));
    assert_eq!(Calendar { offset_us: 0, ..Calendar::default() }.day(owed("mei").await.unwrap()[0].due_us), 19_999 + 14);
}

#[tokio::test]
async fn a_contact_that_is_due_makes_one_message_for_its_owner() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let plan = casework::FollowUpPlan { owner: "lin".to_owned(), from_us: NOW, term_ends_us: 0 };
    store.cases().plan_follow_up(STUDENT, &plan).await.unwrap();
    let messages = store.messages();
    assert_eq!(messages.ask_follow_ups(NOW + 6 * DAY_US).await.unwrap(), 0);
    assert_eq!(messages.ask_follow_ups(NOW + 7 * DAY_US).await.unwrap(), 1);
    assert_eq!(messages.ask_follow_ups(NOW + 8 * DAY_US).await.unwrap(), 0);
    let message = messages.due(None, NOW + 8 * DAY_US).await.unwrap().remove(0);
    let key = message.follow_up_key.expect("of a contact");
    assert_eq!((message.kind.as_str(), message.severity, message.thread_key), ("follow_up_due", None, None));
    // Whoever stands in is asked with the owner, and who is on duty where neither answers.
    let at = NOW + 8 * DAY_US;
    store
        .cases()
        .delegate(&casework::Delegation { from: "lin".to_owned(), to: "mei".to_owned(), from_us: at, until_us: at + 1 })
        .await
        .unwrap();
    let shift = casework::DutyShift {
        post: casework::Post::DutyOffice,
        account: "duty".to_owned(),
        backup: None,
        from_us: at,
        until_us: at + 1,
    };
    store.cases().roster(&shift).await.unwrap();
    let asked = store.cases().asked_to_contact(key, at).await.unwrap();
    assert_eq!((asked.levels, asked.duty), (vec![vec!["lin".to_owned(), "mei".to_owned()]], vec!["duty".to_owned()]));
    assert!(!messages.is_overtaken(&message).await.unwrap());
    assert!(store.cases().follow_up_done(key, "lin", &Code::new("well").unwrap(), NOW + 8 * DAY_US).await.unwrap());
    assert!(messages.is_overtaken(&message).await.unwrap());
    assert_eq!(store.cases().asked_to_contact(key, at).await.unwrap(), crate::Asked::default());
}

#[tokio::test]
async fn figures_of_a_month_count_its_own_days() {
    let scene = Scene::new();
    let store = opened(&scene).await;
    let cases = store.cases();
    let key = psych(&cases, 3).await;
    record(&cases, key, &conference(ConferenceDecision::Plan), None, &wang()).await.unwrap();
    assert!(cases.month(NOW, NOW + 1, &lin()).await.is_err());
    let month = cases.month(NOW, NOW + DAY_US, &wang()).await.unwrap();
    assert_eq!((month.opened_n, month.conferences_n, month.grave_n, month.closed_n), (1, 1, 1, 0));
    let before = cases.month(NOW - DAY_US, NOW, &wang()).await.unwrap();
    assert_eq!(before, crate::MonthFigures::default());
}

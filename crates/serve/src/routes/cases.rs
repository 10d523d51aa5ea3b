//! `/api/v1/cases`: the work list, one case with what may be done on it, and its steps (个案).
//!
//! `store` and `casework` say what a reader sees and may do; here it becomes JSON. Names come from a session of `policy`,
//! as everywhere: a case may be in sight although the person is not.

mod filled;
pub(crate) mod looks;
pub(crate) mod shown;

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use casework::{Act, Actor, CheckCause, Code, Command, Crisis, CrisisStep, Kind, Sight, State, Thread, forms};
use schema::PersonKind;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{Account, Desk, Edit, NewEntry, NewRecord, Page, Wanted};

pub(crate) use filled::{day, micros};

use super::students::limit;
use super::warnings;
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows;

/// Steps of a history that are read at once; a case has 2,000 and somewhat more at most.
const STEPS_A_PAGE: usize = 500;
const REPORTS_MAX: usize = 200;
const RECORDS_MAX: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// `next` of the page before.
    after: Option<String>,
    limit: Option<u16>,
    kind: Option<String>,
    state: Option<String>,
    mine: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepAsk {
    seen_version: i64,
    act: String,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordAsk {
    record: String,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenAsk {
    student_key: String,
    kind: String,
    act: String,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

pub(crate) async fn list(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let (who, now) = (reader.who()?, reader.now_us());
    let limit = usize::from(limit(filter.limit)?);
    let no_word = |name: &str| Problem::bad_request(format!("{name} 不是可选的值 / {name} is none of the values that there are"));
    let wanted = Wanted {
        kind: filter.kind.as_deref().map(|it| Kind::from_code(it).ok_or_else(|| no_word("kind"))).transpose()?,
        state: filter.state.as_deref().map(|it| State::from_code(it).ok_or_else(|| no_word("state"))).transpose()?,
        is_mine: filter.mine.unwrap_or(false),
        ..Wanted::default()
    };
    let after = filter.after.as_deref().map(position).transpose()?;
    let cases = reader.state.parts.store.cases();
    let labels = &reader.state.config.labels;
    // One more than is shown says whether there are more; the store gives 500 at most.
    let mut found = cases.queue_of(&who, wanted, Page { after, limit: limit + 1 }, labels, now).await?;
    let has_more = limit.min(LIMIT_OF_STORE - 1) < found.len();
    found.truncate(limit.min(LIMIT_OF_STORE - 1));
    let next = found.last().filter(|_| has_more).map(|it| it.position()).map(|(due_us, key)| format!("{due_us}:{key}"));
    let counts = cases.queue_counts(&who, now).await?;
    let keys: Vec<String> = found.iter().map(|it| it.thread_key.to_string()).collect();
    reader.note("read", format!("cases/{}", keys.join(",")), "ok", i64::try_from(found.len()).ok()).await?;
    let students = shown::students(&reader, found.iter().map(|it| it.student_key)).await;
    let campus = &reader.state.config.campus;
    Ok(Json(json!({
        "rows": found.iter().map(|it| shown::row(it, &students, &who.account, now)).collect::<Vec<_>>(),
        "next": next,
        "counts": {
            "open_n": counts.open_n, "overdue_n": counts.overdue_n, "new_n": counts.new_n, "mine_n": counts.mine_n,
        },
        "as_of_on": students.as_of_on, "emergency_zh": campus.emergency_zh, "emergency_en": campus.emergency_en,
    })))
}

/// Rows that the store gives at most, whatever is asked for.
const LIMIT_OF_STORE: usize = 500;

fn position(after: &str) -> Result<(i64, i64), Problem> {
    let parsed = after.split_once(':').and_then(|(due, key)| Some((due.parse().ok()?, key.parse().ok()?)));
    parsed.ok_or_else(|| Problem::bad_request("after 是上一页的 next / after is the next of the page before"))
}

pub(crate) async fn open_forms(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let (who, rules, now) = (reader.who()?, reader.rules(), reader.now_us());
    // Of a student whom nothing is known of: what anybody in this role may begin.
    let actor = Actor::stranger(&who.account, who.role);
    let kinds = Kind::ALL.iter().map(|kind| {
        let found = forms(&Thread::blank(0, 0, *kind), &actor, &reader.state.config.labels, &rules, now);
        let text = kind.text();
        json!({
            "kind": kind.code(), "kind_zh": text.zh, "kind_en": text.en,
            "acts": found.iter().map(shown::form).collect::<Vec<_>>(),
        })
    });
    Ok(Json(json!({ "kinds": kinds.collect::<Vec<_>>() })))
}

pub(crate) async fn one(reader: Reader, Path(thread_key): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let key = key(&thread_key)?;
    let Some(desk) = desk(&reader, key).await? else {
        reader.note("read", format!("case/{key}"), "refused", None).await?;
        return Err(Problem::not_found());
    };
    reader.note("read", format!("case/{key}"), "ok", None).await?;
    Ok(Json(whole(&reader, key, desk).await?))
}

pub(crate) async fn step(
    reader: Reader,
    Path(thread_key): Path<String>,
    body: Result<Json<StepAsk>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let key = key(&thread_key)?;
    let Json(ask) = body?;
    // A crisis may be declared by anybody of the staff, but not to find out which cases there are.
    if desk(&reader, key).await?.is_none() {
        reader.note("step", format!("case/{key}"), "refused", None).await?;
        return Err(Problem::not_found());
    }
    let command = command(&ask.act, ask.fields, ask.reason.as_deref())?;
    reader.note("step", format!("case/{key}/{}", ask.act), "asked", None).await?;
    let edit = Edit { thread_key: key, seen_version: ask.seen_version, command: &command, note: noted(ask.note.as_deref()) };
    let cases = reader.state.parts.store.cases();
    cases.execute(edit, &reader.who()?, &reader.rules(), reader.now_us()).await?;
    Ok(Json(after_step(&reader, key).await?))
}

/// Records something on a case: it adds and changes nothing, so no version is asked for.
pub(crate) async fn record(
    reader: Reader,
    Path(thread_key): Path<String>,
    body: Result<Json<RecordAsk>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let key = key(&thread_key)?;
    let Json(ask) = body?;
    if desk(&reader, key).await?.is_none() {
        reader.note("record", format!("case/{key}"), "refused", None).await?;
        return Err(Problem::not_found());
    }
    let rules = reader.rules();
    let record = filled::record(&ask.record, ask.fields)?;
    for account in record.accounts() {
        expect_account(&reader, account).await?;
    }
    reader.note("record", format!("case/{key}/{}", record.kind().code()), "asked", None).await?;
    let new = NewRecord { thread_key: key, record: &record, note: noted(ask.note.as_deref()) };
    reader.state.parts.store.cases().record(new, &reader.who()?, &rules, reader.now_us()).await?;
    Ok(Json(after_step(&reader, key).await?))
}

/// Refuses a name that is no account: a slip of the pen would leave work with nobody.
pub(crate) async fn expect_account(reader: &Reader, account: &str) -> Result<(), Problem> {
    let found = reader.state.parts.store.accounts().get(account).await?;
    if found.is_some_and(|it| !it.is_disabled) {
        return Ok(());
    }
    let en = format!("there is no account \"{account}\"");
    Err(Problem::unprocessable(&format!("没有账号“{account}”"), &en))
}

pub(crate) async fn open(reader: Reader, body: Result<Json<OpenAsk>, JsonRejection>) -> Result<Json<Value>, Problem> {
    let Json(ask) = body?;
    if reader.require_page("care").is_err() {
        may_say_lost(&reader, &ask).await?;
    }
    let student_key = student(&reader, &ask.student_key).await?;
    let kind =
        Kind::from_code(&ask.kind).ok_or_else(|| Problem::unprocessable("没有这类个案", "there is no such kind of case"))?;
    let command = command(&ask.act, ask.fields, ask.reason.as_deref())?;
    if !matches!(command.act, Act::Signal { .. } | Act::Declare { .. } | Act::OpenCheck { .. }) {
        return Err(Problem::unprocessable("个案不由此步骤开始", "no case begins with this act"));
    }
    reader.note("open", format!("student/{student_key}/case/{}/{}", kind.code(), ask.act), "asked", None).await?;
    let entry = NewEntry { student_key, kind, command: &command, note: noted(ask.note.as_deref()) };
    let cases = reader.state.parts.store.cases();
    let entered = cases.enter(entry, &reader.who()?, &reader.rules(), reader.now_us()).await?;
    let key = entered.thread_key.ok_or_else(Problem::not_found)?;
    Ok(Json(after_step(&reader, key).await?))
}

pub(crate) async fn of_student(reader: Reader, Path(student_key): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let key: i64 = student_key.parse().map_err(|_| Problem::not_found())?;
    let (who, now) = (reader.who()?, reader.now_us());
    let found = reader.state.parts.store.cases().of_student(key, &who, &reader.state.config.labels, now).await?;
    reader.note_read(key, "cases").await?;
    let students = shown::students(&reader, [key]).await;
    let rows = found.iter().filter_map(|it| it.row.as_ref());
    let others_n = found.iter().filter(|it| it.sight == Sight::OtherProfession).count();
    Ok(Json(json!({
        "rows": rows.map(|it| shown::row(it, &students, &who.account, now)).collect::<Vec<_>>(),
        "others": shown::others(others_n),
    })))
}

/// Refuses whoever has no work list, but for the one thing that cannot wait: who looked after somebody on a night's list
/// and found nobody says that contact is lost.
async fn may_say_lost(reader: &Reader, ask: &OpenAsk) -> Result<(), Problem> {
    reader.require_page("lists")?;
    let session = reader.session().await?;
    session.schema("list_unverified_absence").await?;
    let is_lost = ask.act == "open_check" && ask.fields.get("cause").is_some_and(|it| it == CheckCause::LostContact.code());
    if !is_lost {
        return Err(Problem::forbidden());
    }
    let key: i64 = ask.student_key.parse().map_err(|_| Problem::not_found())?;
    if session.students().contains(key) { Ok(()) } else { Err(Problem::not_found()) }
}

/// The case after something was done on it; who no longer sees it is told that it was taken, and no more.
pub(crate) async fn after_step(reader: &Reader, key: i64) -> Result<Value, Problem> {
    match desk(reader, key).await? {
        Some(desk) => whole(reader, key, desk).await,
        None => Ok(nothing(reader, 0)),
    }
}

async fn desk(reader: &Reader, key: i64) -> Result<Option<Desk>, Problem> {
    let cases = reader.state.parts.store.cases();
    let (who, rules, now) = (reader.who()?, reader.rules(), reader.now_us());
    Ok(cases.desk(key, &who, &reader.state.config.labels, &rules, now).await?)
}

async fn whole(reader: &Reader, key: i64, desk: Desk) -> Result<Value, Problem> {
    let (who, now) = (reader.who()?, reader.now_us());
    let Some(row) = &desk.view.row else { return Ok(nothing(reader, desk.others_n)) };
    let students = shown::students(reader, [row.student_key]).await;
    let cases = reader.state.parts.store.cases();
    let (mut history, mut reports, mut notices, mut records) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    if Sight::Record <= desk.view.sight {
        loop {
            let after = history.last().map_or(0, |it: &store::HistoryRow| it.seq);
            let page = cases.history(key, &who, after, STEPS_A_PAGE, now).await?;
            let is_last = page.len() < STEPS_A_PAGE;
            history.extend(page);
            if is_last {
                break;
            }
        }
        records = cases.records_of(key, &who, RECORDS_MAX, now).await?;
        reports = match cases.reports_of(key, &who, 0, REPORTS_MAX, now).await {
            // From severity 3 on reports are psychology's, and the others go on without them.
            Err(store::Error::NoSuchCase { .. }) => Vec::new(),
            other => other?,
        };
        if let Some((session, as_of_on)) = students.session_of(row.student_key) {
            notices = warnings::of_student(&reader.state.parts, session, row.student_key, as_of_on).await?;
            notices.retain(|it| it["thread"] == row.kind.code());
        }
    }
    let counselling = match students.session_of(row.student_key) {
        Some((session, _)) if desk.view.sight == Sight::Closed => in_counselling(reader, session, row.student_key).await,
        _ => false,
    };
    let (campus, labels) = (&reader.state.config.campus, &reader.state.config.labels);
    let people = match &desk.crisis {
        Some(crisis) if crisis.ended_us.is_none() => callees(reader, row.student_key, crisis, now).await?,
        _ => Vec::new(),
    };
    let mut check = desk.check.as_ref().map(|it| shown::check(it, desk.view.row.as_ref().map(|it| it.state), now));
    // Whoever has one step to do learns nothing of the family.
    if let Some(check) = check.as_mut().filter(|_| desk.view.sight < Sight::Record) {
        for name in ["guardian", "guardian_zh", "guardian_en", "parents", "parents_zh", "parents_en"] {
            check[name] = Value::Null;
        }
    }
    if let Some(check) = &mut check {
        check["can_telephone"] = looks::may_telephone(&desk).into();
        check["can_locate"] = looks::may_locate(&desk, who.role).into();
    }
    Ok(json!({
        "row": shown::row(row, &students, &who.account, now),
        "sight": if Sight::Record <= desk.view.sight { "full" } else { "limited" },
        "notices": notices,
        "reports": reports.iter().map(shown::report).collect::<Vec<_>>(),
        "history": history.iter().map(|it| shown::step(it, who.role, labels, campus)).collect::<Vec<_>>(),
        "acts": desk.forms.iter().map(shown::form).collect::<Vec<_>>(),
        "records": records.iter().map(|it| shown::record(it, campus)).collect::<Vec<_>>(),
        "record_forms": desk.record_forms.iter().map(shown::record_form).collect::<Vec<_>>(),
        "family": desk.family.text().map(|it| json!({ "text_zh": it.zh, "text_en": it.en })),
        "is_in_counselling": counselling,
        "crisis": desk.crisis.as_ref().map(|it| shown::crisis(it, &people, now)),
        "check": check,
        "others": shown::others(desk.others_n),
        "as_of_on": students.as_of_on, "emergency_zh": campus.emergency_zh, "emergency_en": campus.emergency_en,
    }))
}

/// Whether the school's own system says that somebody is in counselling (在咨询中). Psychology alone reads the table; where it
/// does not answer nothing is said, for a case must not wait for it.
async fn in_counselling(reader: &Reader, session: &policy::Session, student_key: i64) -> bool {
    let today = shown::day(Some(reader.rules().calendar.day(reader.now_us())));
    let Some(Ok(today)) = today.map(|it| rows::date(&it)) else { return false };
    let sql = "SELECT count(*) AS n FROM closed_counselling WHERE student_key = $key AND state = 'in_counselling' \
               AND from_on <= $today AND (to_on IS NULL OR $today <= to_on)";
    let params = vec![("key", rows::key(student_key)), ("today", today)];
    let found = rows::rows(session, sql, params).await.unwrap_or_default();
    found.first().and_then(|it| rows::number(it, "n")).is_some_and(|it| 0.0 < it)
}

/// Whom the open steps of a crisis call, with the names and telephones that the registers hold.
async fn callees(reader: &Reader, student_key: i64, crisis: &Crisis, now: i64) -> Result<Vec<(CrisisStep, Value)>, Problem> {
    let store = &reader.state.parts.store;
    let steps: Vec<CrisisStep> = crisis.open_steps().into_iter().map(|it| it.0).collect();
    let calls = store.cases().calls(student_key, &steps, now).await?;
    let mut accounts: Vec<Account> = Vec::new();
    for call in &calls {
        if !accounts.iter().any(|it| it.account == call.account) {
            accounts.extend(store.accounts().get(&call.account).await?);
        }
    }
    let keys: Vec<i64> = accounts.iter().filter_map(|it| it.person_key).collect();
    let phones = store.vault().identities(PersonKind::Staff, &keys, &["phone"]).await?;
    let shown = calls.iter().map(|call| {
        let account = accounts.iter().find(|it| it.account == call.account);
        let phone = account.and_then(|it| phones.get(&it.person_key?)?.get("phone").cloned());
        let person = json!({
            "account": call.account, "display_name": account.map(|it| it.display_name.clone()), "phone": phone,
            "stands_as_zh": call.stands_as.zh, "stands_as_en": call.stands_as.en, "is_backup": call.is_backup,
        });
        (call.step, person)
    });
    Ok(shown.collect())
}

/// A case of which the reader learns only that somebody follows up.
fn nothing(reader: &Reader, others_n: usize) -> Value {
    let campus = &reader.state.config.campus;
    json!({
        "row": null, "sight": "exists", "notices": [], "reports": [], "history": [], "acts": [], "records": [], "record_forms": [],
        "family": null, "is_in_counselling": false, "crisis": null, "check": null,
        "others": shown::others(others_n.max(1)), "as_of_on": null,
        "emergency_zh": campus.emergency_zh, "emergency_en": campus.emergency_en,
    })
}

fn command(act: &str, fields: Map<String, Value>, reason: Option<&str>) -> Result<Command, Problem> {
    let taken = filled::act(act, fields)?;
    let reason = reason.filter(|it| !it.is_empty()).unwrap_or(act);
    let reason = Code::new(reason).map_err(|_| {
        Problem::unprocessable("原因须为代码：a-z、0-9 和 _，至多 64 个", "the reason is a code of a-z, 0-9 and _, 64 at most")
    })?;
    Ok(Command { act: taken, reason })
}

/// An empty note is none.
fn noted(note: Option<&str>) -> Option<&str> {
    note.filter(|it| !it.trim().is_empty())
}

fn key(thread_key: &str) -> Result<i64, Problem> {
    thread_key.parse().map_err(|_| Problem::not_found())
}

/// The key of a student whom the vault knows.
pub(crate) async fn student(reader: &Reader, student_key: &str) -> Result<i64, Problem> {
    let key: i64 = student_key.parse().map_err(|_| Problem::not_found())?;
    let known = reader.state.parts.store.vault().number_of(PersonKind::Student, key).await?;
    known.map(|_| key).ok_or_else(Problem::not_found)
}

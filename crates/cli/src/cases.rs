//! What the night does for casework: whose the students are, what the data offer, what is late or has expired.
//!
//! Every step is taken once however often this runs, and a run that was cut is made good by the next: an assignment follows
//! what registers say anew, an offer is taken up under the name that it keeps while it goes on, and escalation asks the
//! clock. The way back, from cases to the lake, is the door's: `crate::ingest`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use casework::{Act, CheckCause, Code, Command, DutyShift, Guardian, Kind, Post, Relation, Rules, Severity, Source};
use datafusion::catalog::TableProvider;
use policy::Scope;
use schema::time::days_date;
use store::{Around, NewEntry, TakenUp};
use transform::Builder;

use crate::house::House;

/// Name under which the store keeps the newest date whose offers were taken up.
const ENTERED_ON: &str = "cases.entered_on";

/// The register of those on call, as it stands.
const ON_CALL: &str = "stg_on_call_roster";

/// Cases that one call escalates.
const CASES_A_TICK: usize = 500;

/// What a night did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Night {
    /// Assignments that began and ended.
    pub(crate) assigned_n: usize,
    pub(crate) ended_n: usize,
    /// Enrolled students whom no account is responsible for.
    pub(crate) without_n: usize,
    /// Offers that stand, and those of them that were taken up now.
    pub(crate) offered_n: usize,
    pub(crate) entered_n: usize,
    /// Offers that were refused, with the first reason; they are tried again.
    pub(crate) refused_n: usize,
    pub(crate) refusal: Option<String>,
    /// Cases that went one level up or ended by themselves.
    pub(crate) moved_n: usize,
    /// Contacts that were planned with those around who has died.
    pub(crate) cared_n: usize,
    /// Shifts of the register that became shifts here, and those that could not, for their person has no account.
    pub(crate) shifts_n: usize,
    pub(crate) shifts_without_n: usize,
}

impl Night {
    /// What is worth a line beside the counts.
    pub(crate) fn detail(&self) -> String {
        let counts = [
            (self.assigned_n + self.ended_n, "assignments changed"),
            (self.without_n, "students without an account that is responsible"),
            (self.moved_n, "cases escalated or expired"),
            (self.cared_n, "contacts planned with those around"),
            (self.shifts_n, "shifts taken from the register of those on call"),
            (self.shifts_without_n, "shifts of it whose person has no account"),
        ];
        let mut parts: Vec<String> = counts.iter().filter(|it| 0 < it.0).map(|(n, about)| format!("{n} {about}")).collect();
        if let Some(refusal) = &self.refusal {
            parts.push(format!("{} offers refused, the first: {refusal}", self.refused_n));
        }
        parts.join(", ")
    }
}

/// Assigns, takes up what is offered, escalates what is late.
pub(crate) async fn night(house: &House) -> anyhow::Result<Night> {
    let mut night = Night::default();
    let as_of_on = house.as_of_on().await?;
    let builder = house.builder().await?;
    assign(house, &builder, as_of_on, &mut night).await?;
    keep_minors(house, &builder, as_of_on).await?;
    let rules = crate::working_days::rules(house).await?;
    enter(house, &builder, as_of_on, &rules, &mut night).await?;
    night.moved_n = escalate(house, &rules).await?;
    take_shifts(house, &mut night).await?;
    night.cared_n = care_around(house, &builder, as_of_on, &rules).await?;
    Ok(night)
}

/// Tells casework who is a minor, whose guardian is the one to reach; without such a table nothing is known of it.
async fn keep_minors(house: &House, builder: &Builder<'_>, as_of_on: i32) -> anyhow::Result<()> {
    if house.graph.node("closed_minor").is_none() || house.engine.table("closed_minor").await?.is_none() {
        return Ok(());
    }
    let sql = "SELECT student_key FROM closed_minor WHERE as_of_on = (SELECT max(as_of_on) FROM closed_minor) ORDER BY 1";
    let mut minors = Vec::new();
    for batch in rows(builder, sql, as_of_on).await? {
        minors.extend(column(&batch, "student_key", &DataType::Int64)?.as_primitive::<Int64Type>().values());
    }
    Ok(house.store.cases().keep_minors(&minors).await?)
}

/// Brings the shifts that the register of those on call says into the duty roster (应急值守): of those that are not over, as
/// the register says them now, whenever it came in.
async fn take_shifts(house: &House, night: &mut Night) -> anyhow::Result<()> {
    let Some(table) = house.engine.table(ON_CALL).await? else { return Ok(()) };
    let accounts = house.store.accounts().list().await?;
    // Of two accounts of one person the first by name works.
    let mut account_of: BTreeMap<i64, &str> = BTreeMap::new();
    for account in accounts.iter().filter(|it| !it.is_disabled) {
        if let Some(key) = account.person_key {
            account_of.entry(key).or_insert(&account.account);
        }
    }
    let context = house.engine.context();
    context.register_table(ON_CALL, table)?;
    let sql = format!(
        "SELECT call_id, post, staff_key, backup_key, begins_at, ends_at FROM {ON_CALL} WHERE superseded_at IS NULL ORDER BY call_id"
    );
    let now_us = house.now_us();
    let mut said = Vec::new();
    for batch in context.sql(&sql).await?.collect().await? {
        let (ids, posts) = (column(&batch, "call_id", &DataType::Utf8)?, column(&batch, "post", &DataType::Utf8)?);
        let (staff, backups) = (column(&batch, "staff_key", &DataType::Int64)?, column(&batch, "backup_key", &DataType::Int64)?);
        let (from, until) = (column(&batch, "begins_at", &DataType::Int64)?, column(&batch, "ends_at", &DataType::Int64)?);
        let [staff, backups, from, until] = [&staff, &backups, &from, &until].map(|it| it.as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let (from_us, until_us) = (from.value(row), until.value(row));
            let Some(post) = post_of(posts.as_string::<i32>().value(row)).filter(|_| now_us < until_us && from_us < until_us)
            else {
                continue;
            };
            let Some(account) = account_of.get(&staff.value(row)) else {
                night.shifts_without_n += 1;
                continue;
            };
            let backup = backups.is_valid(row).then(|| account_of.get(&backups.value(row))).flatten();
            let backup = backup.filter(|it| *it != account).map(|it| (*it).to_owned());
            let shift = DutyShift { post, account: (*account).to_owned(), backup, from_us, until_us };
            said.push((ids.as_string::<i32>().value(row).to_owned(), shift));
        }
    }
    night.shifts_n = house.store.cases().take_shifts(&said, now_us).await?;
    Ok(())
}

/// A post as the register writes it.
fn post_of(word: &str) -> Option<Post> {
    Some(match word {
        "university_duty_room" => Post::DutyOffice,
        "psychology_night" => Post::PsychologyNight,
        "college_duty" => Post::CollegeDuty,
        "security" => Post::SecurityOffice,
        "clinic" => Post::Hospital,
        _ => return None,
    })
}

/// Plans the care for room-mates, class and those on duty after a death; returns how many contacts were planned.
///
/// By night, because who lives with whom is read as the system reads it: the named account may see no register at all.
async fn care_around(house: &House, builder: &Builder<'_>, as_of_on: i32, rules: &Rules) -> anyhow::Result<usize> {
    let cases = house.store.cases();
    let (key, table) = (&house.settings.subject.key, &house.settings.subject.table);
    let known = house.engine.table(table).await?;
    let has = |column: &str| known.as_ref().is_some_and(|it| it.schema().field_with_name(column).is_ok());
    let same: Vec<String> =
        ["room_id", "class"].iter().filter(|it| has(it)).map(|it| format!("other.{it} = gone.{it}")).collect();
    let mut planned = 0;
    for death in cases.deaths_to_plan().await? {
        let mut around = Around { staff: cases.duty(death.at_us).await?, ..Around::default() };
        if !same.is_empty() {
            // As the registers last knew them: who has died may have left the newest one.
            let sql = format!(
                "SELECT DISTINCT other.{key} AS student_key FROM {table} AS gone INNER JOIN {table} AS other \
                 ON other.as_of_on = gone.as_of_on AND ({}) WHERE gone.{key} = {} \
                 AND gone.as_of_on = (SELECT max(as_of_on) FROM {table} WHERE {key} = {}) ORDER BY 1",
                same.join(" OR "),
                death.student_key,
                death.student_key
            );
            for batch in rows(builder, &sql, as_of_on).await? {
                let keys = column(&batch, "student_key", &DataType::Int64)?;
                around.students.extend(keys.as_primitive::<Int64Type>().values());
            }
        }
        planned += cases.plan_around(&death, &around, rules.calendar.offset_us, house.now_us()).await?;
    }
    Ok(planned)
}

/// Escalates what is late and ends what has expired; returns how many cases moved.
pub(crate) async fn escalate(house: &House, rules: &Rules) -> anyhow::Result<usize> {
    let mut all = 0;
    loop {
        let moved = house.store.cases().tick(rules, house.now_us(), CASES_A_TICK).await?;
        all += moved;
        if moved < CASES_A_TICK {
            return Ok(all);
        }
    }
}

/// Brings whose the students are up to date with registers and accounts.
async fn assign(house: &House, builder: &Builder<'_>, as_of_on: i32, night: &mut Night) -> anyhow::Result<()> {
    let subject = &house.settings.subject;
    if house.graph.node(&subject.table).is_none() {
        return Ok(());
    }
    let (key, table) = (&subject.key, &subject.table);
    let Some(known) = house.engine.table(table).await? else { return Ok(()) };
    // A school names its columns itself: without a counselor or a college nobody follows from it, and without a status
    // whoever is in the register studies.
    let or = |column: &str, otherwise: &str| match known.schema().field_with_name(column) {
        Ok(_) => column.to_owned(),
        Err(_) => otherwise.to_owned(),
    };
    let (owner, college) = (or(subject.owner.as_deref().unwrap_or_default(), "NULL"), or("college", "NULL"));
    let class = or("class", "NULL");
    let status = or("status", "'enrolled'");
    let sql = format!(
        "SELECT {key} AS student_key, {owner} AS owner_key, {college} AS college, {class} AS class, {status} AS status FROM {table} \
         WHERE as_of_on = (SELECT max(as_of_on) FROM {table})"
    );
    let (mut students, mut unit_of, mut owner_of) = (Vec::new(), Vec::new(), Vec::new());
    for batch in rows(builder, &sql, as_of_on).await? {
        let keys = column(&batch, "student_key", &DataType::Int64)?;
        let owners = column(&batch, "owner_key", &DataType::Int64)?;
        let (colleges, states) = (column(&batch, "college", &DataType::Utf8)?, column(&batch, "status", &DataType::Utf8)?);
        let classes = column(&batch, "class", &DataType::Utf8)?;
        let classes = classes.as_string::<i32>();
        let (keys, owners) = (keys.as_primitive::<Int64Type>(), owners.as_primitive::<Int64Type>());
        let (colleges, states) = (colleges.as_string::<i32>(), states.as_string::<i32>());
        for row in 0..batch.num_rows() {
            let student = keys.value(row);
            if states.is_valid(row) && matches!(states.value(row), "enrolled" | "extended") {
                students.push(student);
            }
            let college = colleges.is_valid(row).then(|| colleges.value(row).to_owned());
            let class = classes.is_valid(row).then(|| classes.value(row).to_owned());
            unit_of.push((student, [Some(Scope::University), college.map(Scope::College), class.map(Scope::Class)]));
            owner_of.extend(owners.is_valid(row).then(|| (student, owners.value(row))));
        }
    }
    if unit_of.is_empty() {
        // Registers that are not there yet say nothing, least of all that everybody has left.
        return Ok(());
    }
    let accounts: Vec<_> = house.store.accounts().list().await?.into_iter().filter(|it| !it.is_disabled).collect();
    // Of two accounts of one person the first by name works.
    let mut account_of: BTreeMap<i64, &str> = BTreeMap::new();
    // Whoever was granted the university, a college or a class is something to all students of it.
    let mut granted: Vec<(Relation, &str, Scope)> = Vec::new();
    for account in &accounts {
        for grant in &account.grants {
            match (grant.role.as_str(), grant.scope.parse::<Scope>()) {
                ("counselor", _) => {
                    account_of.extend(
                        account.person_key.filter(|it| !account_of.contains_key(it)).map(|it| (it, account.account.as_str())),
                    );
                }
                ("psychologist", Ok(scope @ (Scope::University | Scope::College(_)))) => {
                    granted.push((Relation::Psychologist, &account.account, scope));
                }
                ("college_secretary", Ok(scope @ Scope::College(_))) => {
                    granted.push((Relation::Secretary, &account.account, scope));
                }
                ("tutor", Ok(scope @ Scope::Class(_))) => granted.push((Relation::Tutor, &account.account, scope)),
                _ => {}
            }
        }
    }
    let counselors: BTreeSet<(i64, String)> =
        owner_of.iter().filter_map(|(student, owner)| Some((*student, (*account_of.get(owner)?).to_owned()))).collect();
    let said_of = |relation: Relation| -> BTreeSet<(i64, String)> {
        let of = granted.iter().filter(|it| it.0 == relation);
        let students = |scope: &Scope| {
            let is_in = unit_of.iter().filter(|(_, units)| units.iter().flatten().any(|it| it == scope));
            is_in.map(|(student, _)| *student).collect::<Vec<i64>>()
        };
        of.flat_map(|(_, account, scope)| students(scope).into_iter().map(|it| (it, (*account).to_owned()))).collect()
    };
    let (cases, now_us) = (house.store.cases(), house.now_us());
    let mut said = vec![(Relation::Counselor, counselors)];
    said.extend([Relation::Psychologist, Relation::Secretary, Relation::Tutor].map(|it| (it, said_of(it))));
    for (relation, said) in &said {
        let synced = cases.sync_said(*relation, said, now_us).await?;
        night.assigned_n += synced.assigned_n;
        night.ended_n += synced.ended_n;
    }
    night.without_n = cases.without_counselor(&students, now_us).await?.len();
    Ok(())
}

/// Takes up what is offered: signals of all dates since the last night that ended, findings of the newest date only, for a
/// student of whom there was news since is not to be looked for.
async fn enter(house: &House, builder: &Builder<'_>, as_of_on: i32, rules: &Rules, night: &mut Night) -> anyhow::Result<()> {
    if house.graph.node("warning_student").is_none() {
        return Ok(());
    }
    let key = &house.settings.subject.key;
    let newest = day(as_of_on)?;
    let since = house.store.meta().get(ENTERED_ON).await?;
    // What nobody took up for longer than the cool-down would be offered anew by now.
    let earliest = day(as_of_on - house.settings.warning.cool_down_days)?;
    let since = since.filter(|it| earliest < *it).map_or_else(|| newest.clone(), |it| it.min(newest.clone()));
    let sql = format!(
        "SELECT warning_id, {key} AS student_key, rule, thread, severity FROM warning_student \
         WHERE as_of_on <= DATE '{newest}' AND (as_of_on = DATE '{newest}' OR (severity IS NOT NULL AND as_of_on >= DATE '{since}')) \
         ORDER BY severity NULLS FIRST, as_of_on, warning_id"
    );
    let (cases, now_us) = (house.store.cases(), house.now_us());
    for batch in rows(builder, &sql, as_of_on).await? {
        let ids = column(&batch, "warning_id", &DataType::Utf8)?;
        let keys = column(&batch, "student_key", &DataType::Int64)?;
        let (named, threads) = (column(&batch, "rule", &DataType::Utf8)?, column(&batch, "thread", &DataType::Utf8)?);
        let severities = column(&batch, "severity", &DataType::Int64)?;
        let severities = severities.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let (id, thread) = (ids.as_string::<i32>().value(row), threads.as_string::<i32>().value(row));
            let kind = Kind::from_code(thread)
                .with_context(|| format!("offer {id} is of the thread \"{thread}\", which casework does not know"))?;
            let act = if severities.is_valid(row) {
                Act::Signal { source: Source::Machine, severity: Severity::try_from(severities.value(row))? }
            } else {
                Act::OpenCheck { cause: CheckCause::NoTrace, guardian: Guardian::Normal }
            };
            let command = Command { act, reason: Code::new(named.as_string::<i32>().value(row))? };
            let entry =
                NewEntry { student_key: keys.as_primitive::<Int64Type>().value(row), kind, command: &command, note: None };
            night.offered_n += 1;
            match cases.take_up(id, entry, rules, now_us).await {
                Ok(TakenUp::Entered(_) | TakenUp::Nothing(_)) => night.entered_n += 1,
                Ok(TakenUp::Known) => {}
                Err(store::Error::CaseRefused(refusal)) => {
                    night.refused_n += 1;
                    night.refusal.get_or_insert(refusal.text().en);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    // Behind all of them: a night that was cut is begun again from where the last whole one ended.
    if night.refused_n == 0 {
        house.store.meta().set(ENTERED_ON, &newest).await?;
    }
    Ok(())
}

async fn rows(builder: &Builder<'_>, sql: &str, as_of_on: i32) -> anyhow::Result<Vec<RecordBatch>> {
    let context = builder.context(sql, "casework", as_of_on).await?;
    Ok(context.sql(sql).await.context("casework could not read the lake")?.collect().await?)
}

fn column(batch: &RecordBatch, name: &str, of: &DataType) -> anyhow::Result<arrow::array::ArrayRef> {
    let column = batch.column_by_name(name).with_context(|| format!("no column {name}"))?;
    Ok(arrow::compute::cast(column, of)?)
}

fn day(on: i32) -> anyhow::Result<String> {
    Ok(days_date(on).context("the date is out of range")?.to_string())
}

//! Twelve invented students and their card, in a lake of memory, and what a principal ought to see of it.
//!
//! What ought to be seen is worked out here in plain Rust, by other code than the one under test.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Date32Type, Field, Int64Type, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::NaiveTime;
use datafusion::datasource::MemTable;
use policy::{Answered, Asked, Audit, Cause, Config, LookUp, Parts, Policies, Principal, Session, Sessions, TableEntry, Tables};
use schema::Class;
use schema::time::CampusClock;

pub const STUDENTS: i64 = 12;
pub const COUNSELOR: i64 = 900_000_000_000_001;

pub fn key(student: i64) -> i64 {
    100_000_000_000_000 + student * 7_919
}

/// One purchase.
#[derive(Debug, Clone)]
pub struct Purchase {
    pub txn_no: i64,
    pub student_key: Option<i64>,
    pub at_us: i64,
    pub amount_fen: i64,
    pub place: &'static str,
    pub phone: String,
    pub note: Option<String>,
}

/// Five purchases a student, one of nobody, one of a stranger.
pub fn purchases() -> Vec<Purchase> {
    let places = ["食堂", "超市", "浴室"];
    let mut purchases: Vec<Purchase> = (0..STUDENTS * 5)
        .map(|it| Purchase {
            txn_no: it,
            student_key: Some(key(it % STUDENTS)),
            at_us: 1_772_323_200_000_000 + it * 2_777_000_000,
            amount_fen: 250 + it * 137 % 2_900,
            place: places[(it % 3) as usize],
            phone: format!("1380000{:04}", it % STUDENTS),
            note: (it % 4 == 0).then(|| format!("secret {it}")),
        })
        .collect();
    for (txn_no, student_key) in [(1_000, None), (1_001, Some(42))] {
        purchases.push(Purchase { txn_no, student_key, ..purchases[0].clone() });
    }
    purchases
}

/// College, class, building and floor of a student, and whether the counselor has them.
pub fn home(student: i64) -> (&'static str, &'static str, &'static str, i32, bool) {
    let college = if student < 6 { "C01" } else { "C02" };
    let class = ["软件2301", "软件2302", "土木2301"][(student % 3) as usize];
    (college, class, if student % 2 == 0 { "N3" } else { "N4" }, 1 + (student % 4) as i32, student < 4)
}

pub fn field(name: &str, data_type: arrow::datatypes::DataType, class: Option<Class>) -> Field {
    let field = Field::new(name, data_type, true);
    match class {
        Some(class) => field.with_metadata([("class".to_owned(), class.as_str().to_owned())].into()),
        None => field,
    }
}

pub fn purchase_schema() -> SchemaRef {
    use arrow::datatypes::DataType::{Date32, Int32, Int64, Utf8};
    let at = schema::described("occurred_at", arrow_instant(), true, "When.", Class::Trace, None);
    Arc::new(Schema::new(vec![
        field("txn_no", Int64, Some(Class::Internal)),
        field("student_key", Int64, Some(Class::Personal)),
        at,
        field("occurred_on", Date32, Some(Class::Personal)),
        field("minute_of_day", Int32, Some(Class::Trace)),
        field("amount_fen", Int64, Some(Class::Trace)),
        field("place", Utf8, Some(Class::Personal)),
        field("phone", Utf8, Some(Class::Personal)),
        field("note", Utf8, Some(Class::Closed)),
        field("id_card", Utf8, Some(Class::Identity)),
        field("debug", Utf8, None),
    ]))
}

fn arrow_instant() -> arrow::datatypes::DataType {
    arrow::datatypes::DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()))
}

pub fn purchase_batch(rows: &[Purchase]) -> RecordBatch {
    let text = |of: &dyn Fn(&Purchase) -> Option<String>| Arc::new(rows.iter().map(of).collect::<StringArray>());
    RecordBatch::try_new(
        purchase_schema(),
        vec![
            Arc::new(rows.iter().map(|it| Some(it.txn_no)).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|it| it.student_key).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|it| Some(it.at_us)).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            Arc::new(rows.iter().map(|it| Some((it.at_us / 86_400_000_000) as i32)).collect::<Date32Array>()),
            Arc::new(rows.iter().map(|it| Some((it.at_us / 60_000_000 % 1_440) as i32)).collect::<Int32Array>()),
            Arc::new(rows.iter().map(|it| Some(it.amount_fen)).collect::<Int64Array>()),
            text(&|it| Some(it.place.to_owned())),
            text(&|it| Some(it.phone.clone())),
            text(&|it| it.note.clone()),
            text(&|_| Some("110101200001010011".to_owned())),
            text(&|_| Some("/srv/lake/part-0".to_owned())),
        ],
    )
    .expect("columns fit the schema")
}

pub fn student_batch(students: impl Iterator<Item = i64> + Clone) -> RecordBatch {
    use arrow::datatypes::DataType::{Int32, Int64, Utf8};
    let schema = Arc::new(Schema::new(vec![
        field("student_key", Int64, Some(Class::Personal)),
        field("counselor_key", Int64, Some(Class::Internal)),
        field("college", Utf8, Some(Class::Personal)),
        field("class", Utf8, Some(Class::Personal)),
        field("building_id", Utf8, Some(Class::Personal)),
        field("floor", Int32, Some(Class::Personal)),
    ]));
    let homes = students.clone().map(home);
    RecordBatch::try_new(
        schema,
        vec![
            Arc::new(students.map(|it| Some(key(it))).collect::<Int64Array>()),
            Arc::new(homes.clone().map(|it| Some(if it.4 { COUNSELOR } else { COUNSELOR + 1 })).collect::<Int64Array>()),
            Arc::new(homes.clone().map(|it| Some(it.0)).collect::<StringArray>()),
            Arc::new(homes.clone().map(|it| Some(it.1)).collect::<StringArray>()),
            Arc::new(homes.clone().map(|it| Some(it.2)).collect::<StringArray>()),
            Arc::new(homes.map(|it| Some(it.3)).collect::<Int32Array>()),
        ],
    )
    .expect("columns fit the schema")
}

/// A lake in memory.
#[derive(Default)]
pub struct Lake(pub BTreeMap<String, TableEntry>);

impl Lake {
    /// The whole campus.
    pub fn new() -> Self {
        Self::of(&purchases(), (0..STUDENTS).collect())
    }

    /// A campus of some purchases and students.
    pub fn of(purchases: &[Purchase], students: Vec<i64>) -> Self {
        let mut lake = Self::default();
        lake.insert("card", purchase_batch(purchases), Some("student_key"));
        lake.insert("dim_student", student_batch(students.into_iter()), Some("student_key"));
        lake.insert("orphan", purchase_batch(purchases), None);
        lake.insert("unruled", purchase_batch(purchases), Some("student_key"));
        lake.insert("emptied", purchase_batch(purchases), Some("student_key"));
        let figures = Arc::new(Schema::new(vec![field("n", arrow::datatypes::DataType::Int64, Some(Class::Internal))]));
        let figures = RecordBatch::try_new(figures, vec![Arc::new(Int64Array::from(vec![12, 60]))]).expect("figures");
        lake.insert("cockpit_day", figures, None);
        let of_colleges = Arc::new(Schema::new(vec![
            field("scope", arrow::datatypes::DataType::Utf8, Some(Class::Internal)),
            field("n", arrow::datatypes::DataType::Int64, Some(Class::Internal)),
        ]));
        let scopes = StringArray::from(vec!["university", "C01", "C02"]);
        let of_colleges = RecordBatch::try_new(of_colleges, vec![Arc::new(scopes), Arc::new(Int64Array::from(vec![60, 12, 7]))]);
        lake.insert("cockpit_college", of_colleges.expect("figures"), None);
        let work = Arc::new(Schema::new(vec![
            field("staff_key", arrow::datatypes::DataType::Int64, Some(Class::Personal)),
            field("room_n", arrow::datatypes::DataType::Int64, Some(Class::Personal)),
        ]));
        let staff = Int64Array::from(vec![Some(COUNSELOR), Some(COUNSELOR), Some(COUNSELOR + 1), None]);
        let work = RecordBatch::try_new(work, vec![Arc::new(staff), Arc::new(Int64Array::from(vec![10, 8, 3, 1]))]);
        lake.insert("ledger_day", work.expect("a ledger"), None);
        lake
    }

    pub fn insert(&mut self, name: &str, batch: RecordBatch, subject: Option<&str>) {
        // Two partitions, so that plans have something to merge.
        let half = batch.num_rows() / 2;
        let parts = vec![vec![batch.slice(0, half)], vec![batch.slice(half, batch.num_rows() - half)]];
        let table = MemTable::try_new(batch.schema(), parts).expect("table");
        let entry = TableEntry::new(Arc::new(table), subject, 1).with_look_up(Arc::new(Searched(batch)));
        self.0.insert(name.to_owned(), entry);
    }
}

/// Rows of one person, found by looking at every one.
#[derive(Debug)]
struct Searched(RecordBatch);

#[async_trait]
impl LookUp for Searched {
    async fn look_up(
        &self,
        column: &str,
        key: i64,
        days: &[i32],
        schema: SchemaRef,
    ) -> datafusion::error::Result<Vec<RecordBatch>> {
        let keys = self.0.column_by_name(column).expect("column").as_primitive::<Int64Type>();
        let on = self.0.column_by_name("occurred_on").expect("column").as_primitive::<Date32Type>();
        let is_wanted = |row: &usize| keys.is_valid(*row) && keys.value(*row) == key && days.contains(&on.value(*row));
        let wanted = schema.fields().iter().map(|it| self.0.schema().index_of(it.name()).expect("column")).collect::<Vec<_>>();
        let rows = self.0.project(&wanted)?;
        Ok((0..rows.num_rows()).filter(is_wanted).map(|row| rows.slice(row, 1)).collect())
    }
}

#[async_trait]
impl Tables for Lake {
    async fn table(&self, name: &str) -> Result<Option<TableEntry>, Cause> {
        Ok(self.0.get(name).cloned())
    }

    fn names(&self) -> Result<Vec<String>, Cause> {
        Ok(self.0.keys().cloned().collect())
    }
}

/// Roles that differ in everything a policy can say.
pub const ROLES: [(&str, &str); 5] = [
    (
        "watcher.toml",
        r#"
        role = "watcher"
        title_zh = "值班"
        title_en = "Watcher"
        about = "Sees students in scope, coarsened."
        scopes = ["university", "own"]
        clearance = "trace"
        names = true
        purposes = ["care"]
        mask = { "*_at" = "hour" }
        [tables]
        card = { rows = "scope", mask = { amount_fen = "bin_500", minute_of_day = "null" } }
        dim_student = { rows = "scope", deny = ["counselor_*"] }
        orphan = { rows = "scope" }
        emptied = { rows = "none" }
        "ledger_*" = { rows = "own" }
        "cockpit_*" = { rows = "all" }
        "#,
    ),
    (
        "clerk.toml",
        r#"
        role = "clerk"
        title_zh = "文员"
        title_en = "Clerk"
        about = "Sees no traces."
        scopes = ["college:C01"]
        clearance = "personal"
        [tables]
        card = { rows = "scope", mask = { student_key = "hash", amount_fen = "keep" } }
        dim_student = { rows = "scope", allow = ["student_key", "college"] }
        "#,
    ),
    (
        "administrator.toml",
        r#"
        role = "administrator"
        title_zh = "系统管理员"
        title_en = "Administrator"
        about = "Reads no rows about people."
        clearance = "internal"
        [tables]
        "cockpit_*" = { rows = "all" }
        "#,
    ),
    (
        "college.toml",
        r#"
        role = "college"
        title_zh = "院系"
        title_en = "College"
        about = "Sees one college."
        scopes = ["university"]
        grants = ["college"]
        clearance = "personal"
        names = true
        [tables]
        dim_student = { rows = "scope", only = { class = ["软件2301"] } }
        "cockpit_*" = { rows = "college" }
        cockpit_day = { rows = "absent" }
        "#,
    ),
    (
        "night.toml",
        r#"
        role = "night"
        title_zh = "值班"
        title_en = "Night"
        about = "Sees whom the shift is about."
        scopes = ["on_call"]
        grants = ["on_call"]
        clearance = "personal"
        names = true
        [tables]
        dim_student = { rows = "scope" }
        "#,
    ),
];

pub fn policies() -> Policies {
    Policies::parse(ROLES.iter().map(|(path, text)| (Path::new(*path), *text))).expect("policies of the tests")
}

pub fn principal(role: &str, scopes: &[&str], person_key: Option<i64>) -> Principal {
    Principal {
        account: "someone".to_owned(),
        role: role.to_owned(),
        scopes: scopes.iter().map(|it| it.parse().expect("scope")).collect(),
        purpose: "care".to_owned(),
        on_call: Vec::new(),
        clients: Vec::new(),
        person_key,
    }
}

/// The counselor of students 0 to 3, as a watcher.
pub fn counselor() -> Principal {
    principal("watcher", &["assigned"], Some(COUNSELOR))
}

pub fn clock() -> CampusClock {
    CampusClock::new(chrono_tz::Asia::Shanghai, NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 exists"))
}

pub fn config() -> Config {
    Config { partitions: 3, ..Config::default() }
}

pub fn sessions_of(lake: Lake) -> Sessions {
    Sessions::new(config(), Parts::new(policies(), Arc::new(lake), clock(), [3; 32])).expect("sessions")
}

pub async fn open(principal: Principal) -> Session {
    sessions_of(Lake::new()).open(principal).await.expect("session")
}

/// The answer as sorted lines; an error as its code.
pub async fn answer(session: &Session, sql: &str) -> Result<Vec<String>, (String, String)> {
    let failed = |error: policy::Error| match error {
        policy::Error::Query { sqlstate, public_message, .. } => (sqlstate.to_owned(), public_message),
        other => panic!("{sql}: {other}"),
    };
    let mut rows = session.sql(sql).await.map_err(failed)?;
    let batches = rows.collect().await.map_err(failed)?;
    Ok(lines(&batches))
}

/// Rows as lines of text, sorted: the same rows give the same lines.
pub fn lines(batches: &[RecordBatch]) -> Vec<String> {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|it| ArrayFormatter::try_new(it, &options).expect("printable")).collect();
        for row in 0..batch.num_rows() {
            lines.push(columns.iter().map(|it| it.value(row).to_string()).collect::<Vec<_>>().join("|"));
        }
    }
    lines.sort();
    lines
}

/// An audit log that remembers.
#[derive(Default)]
pub struct Notebook {
    pub asked: Mutex<Vec<Asked>>,
    pub answered: Mutex<Vec<Answered>>,
    pub is_broken: bool,
}

#[async_trait]
impl Audit for Notebook {
    async fn asked(&self, asked: &Asked) -> Result<(), Cause> {
        if self.is_broken {
            return Err("disk full".into());
        }
        self.asked.lock().expect("unpoisoned").push(asked.clone());
        Ok(())
    }

    fn answered(&self, _: &Asked, answered: &Answered) {
        self.answered.lock().expect("unpoisoned").push(answered.clone());
    }
}

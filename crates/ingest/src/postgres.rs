//! Rows of a PostgreSQL database as JSON lines, which the door then takes like any file.
//!
//! Every declared column is asked for as text, so that one rule a type holds whatever the database is. A NULL is an absent
//! key. An instant (`timestamptz` in a column of type `timestamp`) is a number: microseconds UTC. A time without zone is
//! text, `2025-09-01 07:02:03.5`, and local to the campus. Nothing here writes: the transaction is read-only.

use std::env;
use std::future::poll_fn;
use std::time::Duration;

use schema::{ColumnType, Pipeline, Span};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, PgConnection, Row, SqlSafeStr, Statement, TypeInfo,
};
use url::Url;

use crate::{Error, Limits, head};

/// How long a server may take to answer at all.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(15);
/// Texts that do not depend on the server's settings, whatever way the rows come.
pub(crate) const TEXTS: &str = "SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO, YMD'; SET IntervalStyle TO 'postgres'";
/// One snapshot for all that is read in it; nothing is written.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// What a database gave, in the form in which [`Door::take_bytes`](crate::Door::take_bytes) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// JSON lines, one a row, in the order of the watermark.
    pub bytes: Vec<u8>,
    /// How many rows.
    pub rows: u64,
    /// Greatest watermark known now, as text: hand it over with the next pull. `None` without a watermark or rows.
    pub high: Option<String>,
}

/// Reads the address of a pipeline's database from the environment variable that the pipeline names.
///
/// # Errors
/// If the variable is not set, or is no text.
pub fn database_url(pipeline: &Pipeline) -> Result<String, Error> {
    let variable = variable(pipeline);
    env::var(variable).map_err(|error| match error {
        env::VarError::NotPresent => url_error(pipeline, "is not set"),
        env::VarError::NotUnicode(_) => url_error(pipeline, "is no text"),
    })
}

/// Pulls the rows that changed since the last pull, or all rows the first time.
///
/// `high` is what the last pull returned. Rows from `high - overlap` on are read again (from `high` on where the watermark
/// is a whole number), and rows whose watermark is NULL every time: the caller tells by key and hash which are new.
///
/// # Errors
/// If the address is none, the server does not answer, table or columns do not fit the contract, or there is more than
/// `limits` allow. No message holds the address.
pub async fn pull(pipeline: &Pipeline, url: &str, high: Option<&str>, limits: &Limits) -> Result<Pulled, Error> {
    let options = options(pipeline, url)?;
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let refuse = |verb, source: Box<dyn std::error::Error + Send + Sync>| Error::Database {
        pipeline: pipeline.name().to_owned(),
        server: server.clone(),
        verb,
        source,
    };
    let unread = |source: sqlx::Error| refuse("read", source.into());
    let connected = tokio::time::timeout(CONNECT_MAX, PgConnection::connect_with(&options)).await;
    let mut connection = match connected {
        Ok(connected) => connected.map_err(|it| refuse("connect to", it.into()))?,
        Err(_) => return Err(refuse("connect to", format!("no answer within {} s", CONNECT_MAX.as_secs()).into())),
    };
    for begin in [TEXTS, SNAPSHOT] {
        sqlx::raw_sql(begin).execute(&mut connection).await.map_err(unread)?;
    }

    let found = match &pipeline.pipeline.source.query {
        Some(_) => columns_of_query(pipeline, &mut connection, unread).await?,
        None => columns_of_table(pipeline, &mut connection).await.map_err(unread)?,
    };
    let display = display(pipeline);
    if found.is_empty() {
        return Err(Error::NoTable { pipeline: pipeline.name().to_owned(), table: display });
    }
    let asked = asked(pipeline, &found, &display)?;
    let watermark = Watermark::of(pipeline, &asked)?;
    let high = high.filter(|_| watermark.is_some());

    let sql = statement(pipeline, &asked, watermark.as_ref(), high.is_some());
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    if let (Some(high), Some(watermark)) = (high, &watermark) {
        query = query.bind(high);
        query = match watermark.kind {
            Kind::Whole => query,
            Kind::Date => query.bind(watermark.overlap.days().to_string()),
            Kind::Time => query.bind(format!("{} microseconds", watermark.overlap.micros())),
        };
    }
    let mut pulled = Pulled { bytes: Vec::new(), rows: 0, high: high.map(str::to_owned) };
    let mut rows = query.fetch(&mut connection);
    let lines: Vec<Line> = asked.iter().map(|(asked, found)| Line::new(asked, found)).collect();
    while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
        let row = row.map_err(unread)?;
        write_line(&lines, &row, &mut pulled.bytes).map_err(unread)?;
        pulled.rows += 1;
        if watermark.is_some()
            && let Some(mark) = row.try_get::<Option<&str>, _>(lines.len()).map_err(unread)?
        {
            mark.clone_into(pulled.high.get_or_insert_default());
        }
        let too_large = |limit, unit| Error::TooLarge { file: display.clone(), limit, unit };
        if limits.file_bytes_max < pulled.bytes.len() as u64 {
            return Err(too_large(limits.file_bytes_max, "bytes as JSON lines"));
        }
        if limits.rows_max < pulled.rows {
            return Err(too_large(limits.rows_max, "rows"));
        }
    }
    drop(rows);
    // All rows are here; how the connection ends does not change them.
    connection.close().await.ok();
    Ok(pulled)
}

fn variable(pipeline: &Pipeline) -> &str {
    pipeline.pipeline.source.url_env.as_deref().unwrap_or_default()
}

fn url_error(pipeline: &Pipeline, found: &'static str) -> Error {
    Error::DatabaseUrl { pipeline: pipeline.name().to_owned(), variable: variable(pipeline).to_owned(), found }
}

/// Reads an address. What cannot be right is refused without being shown: it may be a piece of the password.
fn options(pipeline: &Pipeline, url: &str) -> Result<PgConnectOptions, Error> {
    let refuse = || url_error(pipeline, "holds no address of a PostgreSQL database");
    let url = Url::parse(url.trim()).map_err(|_| refuse())?;
    let is_ours = matches!(url.scheme(), "postgres" | "postgresql") && url.host_str().is_some();
    // A password with a bare "/", "?" or "#" ends the host early, and the rest of the address follows an "@".
    let is_torn = [Some(url.path()), url.query(), url.fragment()].into_iter().flatten().any(|it| it.contains('@'));
    if !is_ours || is_torn || url.fragment().is_some() {
        return Err(refuse());
    }
    PgConnectOptions::from_url(&url).map_err(|_| refuse())
}

/// The declared columns that a table or query has; it has no others.
pub(crate) fn asked<'a>(pipeline: &'a Pipeline, found: &'a [Found], display: &str) -> Result<Vec<(Asked<'a>, &'a Found)>, Error> {
    let heads: Vec<String> = found.iter().map(|it| it.name.clone()).collect();
    let places = head::bind(pipeline, &heads, display)?;
    let both = pipeline.columns.iter().zip(&places);
    Ok(both.filter_map(|((name, column), place)| Some((Asked { name, type_: column.type_ }, &found[(*place)?]))).collect())
}

/// Table or query as messages name it.
fn display(pipeline: &Pipeline) -> String {
    let source = &pipeline.pipeline.source;
    source.table.clone().unwrap_or_else(|| format!("query of {}", pipeline.name()))
}

/// A column of the database.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// Name of its type, as PostgreSQL has it: `timestamptz`, `int8`.
    pub(crate) type_: String,
}

/// A declared column.
pub(crate) struct Asked<'a> {
    name: &'a str,
    type_: ColumnType,
}

/// Lists the columns of the table that this user may see; none if there is no such table.
async fn columns_of_table(pipeline: &Pipeline, connection: &mut PgConnection) -> Result<Vec<Found>, sqlx::Error> {
    let sql = "SELECT columns.column_name::text, columns.udt_name::text \
               FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace \
               JOIN information_schema.columns ON columns.table_schema = pg_namespace.nspname \
                AND columns.table_name = pg_class.relname \
               WHERE pg_class.oid = to_regclass($1) ORDER BY columns.ordinal_position";
    let rows = sqlx::query(sql).persistent(false).bind(from(pipeline)).fetch_all(connection).await?;
    rows.iter().map(|it| Ok(Found { name: it.try_get(0)?, type_: it.try_get(1)? })).collect()
}

/// Lists the columns of the query; what the server says of its words is for whoever wrote them.
async fn columns_of_query(
    pipeline: &Pipeline,
    connection: &mut PgConnection,
    unread: impl Fn(sqlx::Error) -> Error,
) -> Result<Vec<Found>, Error> {
    let sql = format!("SELECT * FROM {}", from(pipeline));
    let prepared = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await;
    let statement = prepared.map_err(|error| match error.as_database_error() {
        Some(said) => Error::Contract { pipeline: pipeline.name().to_owned(), message: format!("source.query: {said}") },
        None => unread(error),
    })?;
    let found =
        |it: &sqlx::postgres::PgColumn| Found { name: it.name().to_owned(), type_: it.type_info().name().to_ascii_lowercase() };
    Ok(statement.columns().iter().map(found).collect())
}

/// A query without the semicolon behind it.
fn bare(query: &str) -> &str {
    query.trim().trim_end_matches(|it: char| it == ';' || it.is_whitespace())
}

/// How far the rows were read.
struct Watermark<'a> {
    column: String,
    type_: &'a str,
    kind: Kind,
    overlap: Span,
}

/// What a watermark counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Date,
    /// With a zone or without.
    Time,
}

impl<'a> Watermark<'a> {
    fn of(pipeline: &Pipeline, asked: &[(Asked<'_>, &'a Found)]) -> Result<Option<Self>, Error> {
        let source = &pipeline.pipeline.source;
        let Some(name) = &source.watermark else { return Ok(None) };
        let refuse = |message: String| Error::Contract { pipeline: pipeline.name().to_owned(), message };
        let Some((_, found)) = asked.iter().find(|(it, _)| it.name == name) else {
            return Err(refuse(format!("source.watermark: \"{}\" has no column \"{name}\"", display(pipeline))));
        };
        let kind = match found.type_.as_str() {
            "int2" | "int4" | "int8" => Kind::Whole,
            "date" => Kind::Date,
            "timestamp" | "timestamptz" => Kind::Time,
            other => {
                let message = format!(
                    "source.watermark: column \"{}\" is of type {other}; a watermark is a timestamp, a date or a whole number",
                    found.name
                );
                return Err(refuse(message));
            }
        };
        if kind == Kind::Whole && source.overlap.is_some() {
            let message = format!("source.overlap: column \"{}\" is a whole number and has no length of time", found.name);
            return Err(refuse(message));
        }
        let overlap = source.overlap.unwrap_or(Span::seconds(0));
        Ok(Some(Self { column: quoted(&found.name), type_: &found.type_, kind, overlap }))
    }

    /// The last value known, as a value of the column's type.
    fn high(&self) -> String {
        format!("($1::text)::{}", self.type_)
    }

    /// The rows to be read after the first time.
    fn condition(&self) -> String {
        let bound = match self.kind {
            Kind::Whole => self.high(),
            Kind::Date => format!("{} - ($2::text)::integer", self.high()),
            Kind::Time => format!("{} - ($2::text)::interval", self.high()),
        };
        // A row without a mark may be new.
        format!("({0} >= {bound} OR {0} IS NULL)", self.column)
    }

    /// What each row says of the greatest value: nothing where it has none. Infinity is none, for nothing would come after.
    fn mark(&self, has_high: bool) -> String {
        let column = &self.column;
        let value = if has_high { format!("greatest({column}, {})", self.high()) } else { column.clone() };
        match self.kind {
            Kind::Whole => format!("CASE WHEN {column} IS NOT NULL THEN ({value})::text END"),
            Kind::Date | Kind::Time => format!("CASE WHEN isfinite({column}) THEN ({value})::text END"),
        }
    }
}

/// The statement that reads the rows: every column as text, then the mark.
fn statement(pipeline: &Pipeline, asked: &[(Asked<'_>, &Found)], watermark: Option<&Watermark<'_>>, has_high: bool) -> String {
    let mut values: Vec<String> = asked.iter().map(|(asked, found)| value(asked, found)).collect();
    values.extend(watermark.map(|it| it.mark(has_high)));
    let mut sql = format!("SELECT {} FROM {}", values.join(", "), from(pipeline));
    if let Some(watermark) = watermark {
        if has_high {
            sql.push_str(&format!(" WHERE {}", watermark.condition()));
        }
        sql.push_str(&format!(" ORDER BY {}", watermark.column));
    }
    sql
}

fn from(pipeline: &Pipeline) -> String {
    let source = &pipeline.pipeline.source;
    match (&source.query, &source.table) {
        // A line end, because a query may end with a comment.
        (Some(query), _) => format!("(\n{}\n) AS pulled", bare(query)),
        (None, table) => quoted_table(table.as_deref().unwrap_or_default()),
    }
}

/// `schema.table` as SQL reads it.
pub(crate) fn quoted_table(table: &str) -> String {
    table.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// A column as text; an instant within the calendar as microseconds UTC.
pub(crate) fn value(asked: &Asked<'_>, found: &Found) -> String {
    let column = quoted(&found.name);
    if !is_instant(asked, found) {
        return format!("{column}::text");
    }
    // What lies outside stays text, and its row is refused by name instead of breaking the whole pull.
    format!(
        "CASE WHEN {column} >= '0001-01-01 00:00:00+00' AND {column} < '10000-01-01 00:00:00+00' \
         THEN (extract(epoch FROM {column}) * 1000000)::bigint::text ELSE {column}::text END"
    )
}

fn is_instant(asked: &Asked<'_>, found: &Found) -> bool {
    asked.type_ == ColumnType::Timestamp && found.type_ == "timestamptz"
}

/// A name as SQL reads it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How a column stands in a line.
#[derive(Debug)]
pub(crate) struct Line {
    /// `"head":`
    key: String,
    is_instant: bool,
}

impl Line {
    pub(crate) fn new(asked: &Asked<'_>, found: &Found) -> Self {
        Self { key: format!("{}:", serde_json::Value::from(found.name.as_str())), is_instant: is_instant(asked, found) }
    }
}

pub(crate) fn write_line(lines: &[Line], row: &PgRow, bytes: &mut Vec<u8>) -> Result<(), sqlx::Error> {
    bytes.push(b'{');
    let mut comma = "";
    for (at, line) in lines.iter().enumerate() {
        let Some(text) = row.try_get::<Option<&str>, _>(at)? else { continue };
        bytes.extend_from_slice(comma.as_bytes());
        bytes.extend_from_slice(line.key.as_bytes());
        if line.is_instant && text.parse::<i64>().is_ok() {
            bytes.extend_from_slice(text.as_bytes());
        } else {
            bytes.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
        }
        comma = ",";
    }
    bytes.extend_from_slice(b"}\n");
    Ok(())
}

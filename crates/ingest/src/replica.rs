//! Changes of a PostgreSQL database by logical replication, in plain SQL.
//!
//! A slot is looked at (`pg_logical_slot_peek_binary_changes`), and moved on only when its rows are safe: no second protocol
//! and no second TLS beside those of [`pull`](crate::pull). A row is written as `pull` writes it, so that it is the same row
//! whichever way it came. The server decodes from the slot's place on at every look and keeps what one look gives on its
//! own disk; here rows come one by one.

use std::collections::HashMap;
use std::path::Path;

use chrono::NaiveDateTime;
use futures::StreamExt;
use futures::stream::BoxStream;
use schema::{ColumnType, Pipeline};
use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

use crate::pgoutput::{Datum, Relation};
use crate::postgres::{CONNECT_MAX, Found, Line, SNAPSHOT, TEXTS, asked, quoted, quoted_table, value, write_line};
use crate::{Error, Said};

/// Numbers of types whose output is not what a cast to text writes, and of instants.
const BOOL: u32 = 16;
const INET: u32 = 869;
const BPCHAR: u32 = 1042;
const TIMESTAMPTZ: u32 = 1184;

/// Where a server is, and who we are to it.
#[derive(Clone)]
pub struct ReplicaAddress {
    options: PgConnectOptions,
    server: String,
}

/// How a server is trusted.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicaTrust<'a> {
    /// Nothing is said before the server has shown a certificate for its name.
    pub is_strict: bool,
    /// Certificates of the authority that signed it (PEM); the public ones without it.
    pub ca: Option<&'a Path>,
    /// Our own certificate and its key (PEM), where the server asks for one.
    pub own: Option<(&'a Path, &'a Path)>,
}

impl ReplicaAddress {
    /// A database at a host.
    pub fn new(host: &str, port: u16, database: &str, login: Option<(&str, &str)>, trust: ReplicaTrust<'_>) -> Self {
        let mode = if trust.is_strict { PgSslMode::VerifyFull } else { PgSslMode::Prefer };
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(port)
            .database(database)
            .application_name("yizhan")
            .ssl_mode(mode)
            // What is asked is slow by its nature, and holds nothing that a log should.
            .disable_statement_logging();
        if let Some((user, password)) = login {
            options = options.username(user).password(password);
        }
        if let Some(ca) = trust.ca {
            options = options.ssl_root_cert(ca);
        }
        if let Some((certificate, key)) = trust.own {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        Self { options, server: format!("{host}:{port}") }
    }
}

impl std::fmt::Debug for ReplicaAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The options hold the password.
        write!(f, "ReplicaAddress({})", self.server)
    }
}

/// How a server stands, and a slot of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Number that a server gets when its data are made, and its copies keep.
    pub system: i64,
    /// Whether it only follows another server.
    pub is_standby: bool,
    /// What its log says beside what it needs for itself.
    pub wal_level: String,
    /// How far its log is on its disk.
    pub flushed: i64,
    /// The slot, if there is one of that name.
    pub slot: Option<Slot>,
}

/// A slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whether it is one of this database that writes as we read.
    pub is_ours: bool,
    /// Whether the server threw away what it would need.
    pub is_lost: bool,
    /// What lies before was taken.
    pub confirmed: i64,
    /// Bytes of its log that the server keeps for it.
    pub held_bytes: u64,
}

/// What a publication leaves out of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// Rows that its filter does not let through (`WHERE`).
    pub is_filtered: bool,
    /// Kinds of changes that bring rows: insertions, or updates.
    pub is_partial: bool,
}

/// Which transactions a snapshot shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Every lower number has ended.
    oldest: u64,
    /// The first number that was not given out.
    next: u64,
    /// Numbers below it that were still running.
    running: Vec<u64>,
}

impl Snapshot {
    /// Reads `xmin:xmax:running,…`, as the server writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let oldest = parts.next()?.parse().ok()?;
        let next = parts.next()?.parse().ok()?;
        let running = parts.next()?.split(',').filter(|it| !it.is_empty());
        Some(Self { oldest, next, running: running.map(|it| it.parse().ok()).collect::<Option<_>>()? })
    }

    /// The first number that was not given out when it was taken.
    pub fn upper(&self) -> u64 {
        self.next
    }

    /// Whether every transaction below a number had ended.
    pub fn is_behind(&self, number: u64) -> bool {
        number <= self.oldest
    }

    /// Whether a committed transaction is in it, by the lower half of its number.
    pub fn shows(&self, xid: u32) -> bool {
        // No two numbers that live at the same time are 2^31 apart.
        let ahead = xid.wrapping_sub(self.next as u32).cast_signed();
        ahead < 0 && !self.running.iter().any(|it| *it as u32 == xid)
    }
}

/// A connection.
pub struct Replica {
    connection: PgConnection,
    server: String,
}

/// What is said when a server refused something.
fn unread(server: &str, error: &sqlx::Error) -> Said {
    let database = error.as_database_error();
    let code = database.and_then(|it| it.code()).unwrap_or_default().into_owned();
    // What the handshake refuses comes as this kind; other faults of a network have others.
    let is_untrusted = matches!(error, sqlx::Error::Io(it) if it.kind() == std::io::ErrorKind::InvalidData);
    let (zh, en) = match code.as_str() {
        _ if is_untrusted => (
            "。服务器出示的证书不受信任：ca_file 应是签发它的机构的证书，url 里的主机名应与证书一致",
            ". The certificate that the server shows is not trusted: `ca_file` has to be that of the authority that signed it, and the host of \
             `url` a name that it was made for",
        ),
        "42501" => (
            "。所需权限：ALTER ROLE 用户 REPLICATION，以及对各表的 GRANT SELECT",
            ". What is needed: ALTER ROLE user REPLICATION, and GRANT SELECT on each table",
        ),
        "53400" => ("。请调大 max_replication_slots", ". Raise max_replication_slots"),
        "42704" => (
            "。若发布曾被删除后重建，其间的变更无法读出：请给这一项另起 name 和 slot，各表将重新整表复制",
            ". If the publication was dropped and made anew, what changed in between cannot be read: give this entry another name and another \
             slot, and the tables are copied anew",
        ),
        _ => ("", ""),
    };
    Said::new(format!("PostgreSQL {server}：{error}{zh}"), format!("PostgreSQL {server}: {error}{en}"))
}

impl Replica {
    /// Connects, and sets how values are written.
    ///
    /// # Errors
    /// If the server does not answer or does not let us in. No message holds the password.
    pub async fn connect(address: &ReplicaAddress) -> Result<Self, Said> {
        let server = address.server.clone();
        let connected = tokio::time::timeout(CONNECT_MAX, PgConnection::connect_with(&address.options)).await;
        let connection = connected.map_err(|_| {
            Said::new(
                format!("PostgreSQL {server}：{} 秒内没有应答", CONNECT_MAX.as_secs()),
                format!("PostgreSQL {server}: no answer within {} s", CONNECT_MAX.as_secs()),
            )
        })?;
        let connection = connection.map_err(|error| unread(&server, &error))?;
        let mut it = Self { connection, server };
        it.run(TEXTS).await?;
        // A look at a slot takes as long as there is to decode; a mark is only one once it is on the server's disk.
        it.run("SET statement_timeout TO 0; SET synchronous_commit TO local").await?;
        Ok(it)
    }

    /// Runs statements that stand behind one another.
    async fn run(&mut self, sql: &'static str) -> Result<(), Said> {
        for one in sql.split("; ") {
            let done = sqlx::query(one).persistent(false).execute(&mut self.connection).await;
            done.map_err(|error| unread(&self.server, &error))?;
        }
        Ok(())
    }

    /// Ends the connection; what was read is not changed by how.
    pub async fn close(self) {
        self.connection.close().await.ok();
    }

    /// How the server stands, and a slot of it.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn standing(&mut self, slot: &str) -> Result<Standing, Said> {
        let server = self.server.clone();
        let refuse = |error: sqlx::Error| unread(&server, &error);
        let sql = "SELECT system_identifier::bigint, pg_is_in_recovery(), current_setting('wal_level'), \
                   (CASE WHEN pg_is_in_recovery() THEN '0/0' ELSE pg_current_wal_flush_lsn() END - '0/0'::pg_lsn)::bigint \
                   FROM pg_control_system()";
        let row = sqlx::query(sql).persistent(false).fetch_one(&mut self.connection).await.map_err(refuse)?;
        let get = |row: &PgRow| -> Result<Standing, sqlx::Error> {
            Ok(Standing {
                system: row.try_get(0)?,
                is_standby: row.try_get(1)?,
                wal_level: row.try_get(2)?,
                flushed: row.try_get(3)?,
                slot: None,
            })
        };
        let mut standing = get(&row).map_err(refuse)?;
        if standing.is_standby {
            return Ok(standing);
        }
        let sql = "SELECT plugin::text IS NOT DISTINCT FROM 'pgoutput' AND database::text = current_database()::text, \
                   wal_status IS NOT DISTINCT FROM 'lost', coalesce(confirmed_flush_lsn - '0/0'::pg_lsn, 0)::bigint, \
                   coalesce(greatest(pg_current_wal_flush_lsn() - restart_lsn, 0), 0)::bigint \
                   FROM pg_replication_slots WHERE slot_name = ($1::text)::name";
        let found = sqlx::query(sql).persistent(false).bind(slot.to_owned()).fetch_optional(&mut self.connection);
        if let Some(row) = found.await.map_err(refuse)? {
            let get = |row: &PgRow| -> Result<Slot, sqlx::Error> {
                let is_ours: Option<bool> = row.try_get(0)?;
                Ok(Slot {
                    is_ours: is_ours.unwrap_or_default(),
                    is_lost: row.try_get(1)?,
                    confirmed: row.try_get(2)?,
                    held_bytes: row.try_get::<i64, _>(3)?.unsigned_abs(),
                })
            };
            standing.slot = Some(get(&row).map_err(refuse)?);
        }
        Ok(standing)
    }

    /// Makes the slot: it begins at now, once every transaction that runs has ended.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn make_slot(&mut self, slot: &str) -> Result<(), Said> {
        let sql = "SELECT pg_create_logical_replication_slot(($1::text)::name, 'pgoutput')::text";
        let made = sqlx::query(sql).persistent(false).bind(slot.to_owned()).fetch_one(&mut self.connection).await;
        made.map(|_| ()).map_err(|error| unread(&self.server, &error))
    }

    /// The tables of a publication as `schema.table`, each with what it leaves out.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn published(&mut self, publication: &str) -> Result<HashMap<String, Published>, Said> {
        let sql = "SELECT schemaname || '.' || tablename, to_jsonb(it) ->> 'rowfilter' IS NOT NULL, \
                   NOT (whole.pubinsert AND whole.pubupdate) \
                   FROM pg_publication_tables AS it INNER JOIN pg_publication AS whole ON whole.pubname = it.pubname \
                   WHERE it.pubname = ($1::text)::name";
        let rows = sqlx::query(sql).persistent(false).bind(publication.to_owned()).fetch_all(&mut self.connection).await;
        let refuse = |error: sqlx::Error| unread(&self.server, &error);
        let get = |row: &PgRow| -> Result<(String, Published), sqlx::Error> {
            Ok((row.try_get(0)?, Published { is_filtered: row.try_get(1)?, is_partial: row.try_get(2)? }))
        };
        rows.map_err(refuse)?.iter().map(|it| get(it).map_err(refuse)).collect()
    }

    /// The numbers of domains, and of the types below them.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn domains(&mut self) -> Result<HashMap<u32, u32>, Said> {
        let sql = "SELECT oid::bigint, typbasetype::bigint FROM pg_type WHERE typtype = 'd'";
        let rows = sqlx::query(sql).persistent(false).fetch_all(&mut self.connection).await;
        let refuse = |error: sqlx::Error| unread(&self.server, &error);
        let get = |row: &PgRow| -> Result<(u32, u32), sqlx::Error> {
            let (domain, base): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            Ok((domain as u32, base as u32))
        };
        rows.map_err(refuse)?.iter().map(|it| get(it).map_err(refuse)).collect()
    }

    /// What a first copy of a table reads: the columns that are published, under the contract.
    ///
    /// # Errors
    /// If the server does not answer, shows us no such table, or its columns are not those of the contract.
    pub async fn copying(&mut self, publication: &str, table: &str, pipeline: &Pipeline) -> Result<Copying, Said> {
        let sql = "SELECT had.column_name::text, had.udt_name::text FROM information_schema.columns AS had \
                   JOIN pg_publication_tables AS it \
                    ON it.schemaname = had.table_schema::name AND it.tablename = had.table_name::name \
                   WHERE it.pubname = ($1::text)::name AND it.schemaname || '.' || it.tablename = $2::text \
                    AND CASE WHEN to_jsonb(it) -> 'attnames' IS NULL THEN had.is_generated::text = 'NEVER' \
                        ELSE to_jsonb(it) -> 'attnames' ? had.column_name::text END \
                   ORDER BY had.ordinal_position";
        let query = sqlx::query(sql).persistent(false).bind(publication.to_owned()).bind(table.to_owned());
        let rows = query.fetch_all(&mut self.connection).await;
        let refuse = |error: sqlx::Error| unread(&self.server, &error);
        let get = |row: &PgRow| -> Result<Found, sqlx::Error> { Ok(Found { name: row.try_get(0)?, type_: row.try_get(1)? }) };
        let found = rows.map_err(refuse)?.iter().map(|it| get(it).map_err(refuse)).collect::<Result<Vec<_>, _>>()?;
        if found.is_empty() {
            return Err(Said::new(
                format!("表 {table} 没有可读的列：请执行 GRANT SELECT ON {table} TO 用户"),
                format!("table {table} has no column that we may read: GRANT SELECT ON {table} TO user"),
            ));
        }
        Copying::new(pipeline, table, &found).map_err(|error| crate::file_words(&error))
    }

    /// Begins to read as of one moment, and says which transactions are in it.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn snapshot(&mut self) -> Result<Snapshot, Said> {
        self.run(SNAPSHOT).await?;
        self.shown().await
    }

    /// Which transactions a query shows now.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn shown(&mut self) -> Result<Snapshot, Said> {
        let sql = "SELECT txid_current_snapshot()::text";
        let row = sqlx::query(sql).persistent(false).fetch_one(&mut self.connection).await;
        let text: Result<String, sqlx::Error> = row.and_then(|it| it.try_get(0));
        let text = text.map_err(|error| unread(&self.server, &error))?;
        Snapshot::parse(&text).ok_or_else(|| strange(&self.server, &format!("snapshot {text}")))
    }

    /// A place in the server's log, on its disk, behind everything that a snapshot taken before shows.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn mark(&mut self) -> Result<i64, Said> {
        let sql = "SELECT (pg_logical_emit_message(true, 'yizhan', ''::text) - '0/0'::pg_lsn)::bigint";
        let row = sqlx::query(sql).persistent(false).fetch_one(&mut self.connection).await;
        let place: Result<i64, sqlx::Error> = row.and_then(|it| it.try_get(0));
        place.map_err(|error| unread(&self.server, &error))
    }

    /// The rows of a table, one by one.
    pub fn rows<'c>(&'c mut self, copying: &'c Copying) -> CopiedRows<'c> {
        let server = self.server.clone();
        let query = sqlx::query(AssertSqlSafe(copying.sql.clone())).persistent(false);
        CopiedRows { rows: query.fetch(&mut self.connection), lines: &copying.lines, server }
    }

    /// Messages from the slot's place on, which stays where it is: whole transactions, until there are `most` of them or
    /// `up_to` is reached.
    pub fn changes<'c>(&'c mut self, look: &Look<'_>) -> Changes<'c> {
        let server = self.server.clone();
        let sql = "SELECT CASE WHEN length(data) <= $5::bigint THEN data END, length(data)::bigint \
                   FROM pg_logical_slot_peek_binary_changes(($1::text)::name, ($2::text)::pg_lsn, $3::integer, \
                   'proto_version', '1', 'publication_names', $4::text)";
        let query = sqlx::query(sql)
            .persistent(false)
            .bind(look.slot.to_owned())
            .bind(look.up_to.map(place))
            .bind(look.most)
            .bind(quoted(look.publication))
            .bind(look.bytes_max);
        Changes { rows: query.fetch(&mut self.connection), server }
    }

    /// Moves the slot on: the server may forget what lies before.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn advance(&mut self, slot: &str, to: i64) -> Result<(), Said> {
        let sql = "SELECT pg_replication_slot_advance(($1::text)::name, ($2::text)::pg_lsn)::text";
        let query = sqlx::query(sql).persistent(false).bind(slot.to_owned()).bind(place(to));
        query.fetch_one(&mut self.connection).await.map(|_| ()).map_err(|error| unread(&self.server, &error))
    }
}

/// A place in the server's log as the server writes it.
fn place(lsn: i64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)
}

fn strange(server: &str, what: &str) -> Said {
    Said::new(
        format!("PostgreSQL {server} 的应答无法理解：{what}"),
        format!("PostgreSQL {server} said what is not understood: {what}"),
    )
}

/// What one look at a slot asks for.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The slot.
    pub slot: &'a str,
    /// Which tables.
    pub publication: &'a str,
    /// Not much further than this place.
    pub up_to: Option<i64>,
    /// So many messages, and the rest of the transaction.
    pub most: Option<i32>,
    /// A longer message is not sent, only how long it is.
    pub bytes_max: i64,
}

/// How a table is copied.
#[derive(Debug)]
pub struct Copying {
    sql: String,
    lines: Vec<Line>,
}

impl Copying {
    fn new(pipeline: &Pipeline, table: &str, found: &[Found]) -> Result<Self, Error> {
        let asked = asked(pipeline, found, table)?;
        let values: Vec<String> = asked.iter().map(|(asked, found)| value(asked, found)).collect();
        Ok(Self {
            sql: format!("SELECT {} FROM {}", values.join(", "), quoted_table(table)),
            lines: asked.iter().map(|(asked, found)| Line::new(asked, found)).collect(),
        })
    }
}

/// Rows of a table, on their way.
pub struct CopiedRows<'c> {
    rows: BoxStream<'c, Result<PgRow, sqlx::Error>>,
    lines: &'c [Line],
    server: String,
}

impl CopiedRows<'_> {
    /// The next row as a JSON object; `None` after the last.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Said> {
        let Some(row) = self.rows.next().await else { return Ok(None) };
        let mut line = Vec::new();
        let written = row.and_then(|row| write_line(self.lines, &row, &mut line));
        written.map_err(|error| unread(&self.server, &error))?;
        line.pop();
        Ok(Some(line))
    }
}

/// Messages of a slot, on their way.
pub struct Changes<'c> {
    rows: BoxStream<'c, Result<PgRow, sqlx::Error>>,
    server: String,
}

/// One message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// Its bytes.
    Message(Vec<u8>),
    /// So many bytes, more than were asked for.
    TooLarge(i64),
}

impl Changes<'_> {
    /// The next message; `None` after the last.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn next(&mut self) -> Result<Option<Came>, Said> {
        let Some(row) = self.rows.next().await else { return Ok(None) };
        let get = |row: &PgRow| -> Result<Came, sqlx::Error> {
            let bytes: Option<Vec<u8>> = row.try_get(0)?;
            Ok(match bytes {
                Some(bytes) => Came::Message(bytes),
                None => Came::TooLarge(row.try_get(1)?),
            })
        };
        row.and_then(|it| get(&it)).map(Some).map_err(|error| unread(&self.server, &error))
    }
}

/// Writes the rows of a table as [`pull`](crate::pull) writes them.
#[derive(Debug)]
pub struct RowWriter {
    columns: Vec<Written>,
}

#[derive(Debug)]
struct Written {
    name: String,
    /// `"head":`
    key: String,
    kind: Kind,
}

/// How a cast to text differs from what the type writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Same,
    /// `true` for `t`.
    Truth,
    /// Without the blanks that fill it up.
    Padded,
    /// With the length of its net.
    Address,
    /// An instant is a number.
    Instant,
}

impl RowWriter {
    /// For a table as its messages are written now. `domains` has what lies below types that are none of the server's own.
    pub fn new(pipeline: &Pipeline, relation: &Relation, domains: &HashMap<u32, u32>) -> Self {
        let kind = |name: &str, mut type_: u32| {
            // One domain may be over another.
            while let Some(below) = domains.get(&type_) {
                type_ = *below;
            }
            let declared = pipeline.columns.iter().find(|(it, column)| column.head.as_deref().unwrap_or(it) == name);
            match type_ {
                BOOL => Kind::Truth,
                BPCHAR => Kind::Padded,
                INET => Kind::Address,
                TIMESTAMPTZ if declared.is_some_and(|it| it.1.type_ == ColumnType::Timestamp) => Kind::Instant,
                _ => Kind::Same,
            }
        };
        let written = |(name, type_): &(String, u32)| Written {
            name: name.clone(),
            key: format!("{}:", serde_json::Value::from(name.as_str())),
            kind: kind(name, *type_),
        };
        Self { columns: relation.columns.iter().map(written).collect() }
    }

    /// A row as a JSON object, and the columns whose values did not come: long ones that did not change, of a table that
    /// does not say what a row was before. Such a column is written as what no column takes, so that the row waits.
    pub fn line(&self, new: &[Datum<'_>], old: Option<&[Datum<'_>]>) -> (Vec<u8>, Vec<&str>) {
        let (mut line, mut lacking) = (vec![b'{'], Vec::new());
        let mut comma = "";
        for (at, (column, datum)) in self.columns.iter().zip(new).enumerate() {
            let before = old.and_then(|it| it.get(at)).copied();
            let datum = match datum {
                Datum::Unchanged => before.unwrap_or(Datum::Unchanged),
                it => *it,
            };
            if datum == Datum::Null {
                continue;
            }
            line.extend_from_slice(comma.as_bytes());
            line.extend_from_slice(column.key.as_bytes());
            match datum {
                Datum::Text(text) => column.write(text, &mut line),
                Datum::Null | Datum::Unchanged => {
                    lacking.push(column.name.as_str());
                    line.extend_from_slice(
                        b"[\"not sent: the value is long and did not change; REPLICA IDENTITY FULL sends it\"]",
                    );
                }
            }
            comma = ",";
        }
        line.push(b'}');
        (line, lacking)
    }
}

impl Written {
    fn write(&self, bytes: &[u8], line: &mut Vec<u8>) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            // A database without an encoding: the row waits as one whose bytes are illegal.
            let is_plain = |it: &u8| !matches!(it, 0..=0x1F | b'"' | b'\\');
            line.push(b'"');
            line.extend(bytes.iter().copied().filter(is_plain));
            line.push(b'"');
            return;
        };
        if let Some(at_us) = Some(text).filter(|_| self.kind == Kind::Instant).and_then(instant) {
            line.extend_from_slice(at_us.to_string().as_bytes());
            return;
        }
        let cast = match self.kind {
            Kind::Truth if text == "t" => "true".to_owned(),
            Kind::Truth if text == "f" => "false".to_owned(),
            Kind::Padded => text.trim_end_matches(' ').to_owned(),
            Kind::Address if !text.contains('/') => format!("{text}/{}", if text.contains(':') { 128 } else { 32 }),
            Kind::Same | Kind::Truth | Kind::Address | Kind::Instant => text.to_owned(),
        };
        line.extend_from_slice(serde_json::Value::from(cast).to_string().as_bytes());
    }
}

/// Microseconds of an instant of the calendar as the server writes it in UTC.
fn instant(text: &str) -> Option<i64> {
    let local = text.strip_suffix("+00")?;
    // A year has four digits: later ones, and those before Christ, stay text.
    if local.find('-') != Some(4) {
        return None;
    }
    Some(NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S%.f").ok()?.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_shows_what_was_committed_when_it_was_taken() {
        let snapshot = Snapshot::parse("733:740:733,736").expect("a snapshot");
        let shown: Vec<u32> = (730..745).filter(|it| snapshot.shows(*it)).collect();
        assert_eq!(shown, [730, 731, 732, 734, 735, 737, 738, 739]);
        let idle = Snapshot::parse("740:740:").expect("a snapshot");
        assert!(idle.shows(739) && !idle.shows(740));
        // 733 still ran when the first was taken, nothing did at the second.
        assert_eq!((snapshot.is_behind(733), snapshot.is_behind(734), idle.is_behind(740)), (true, false, true));
        assert_eq!((snapshot.upper(), idle.is_behind(741)), (740, false));
        // Numbers begin anew: what was given out shortly before still lies behind.
        let anew = Snapshot::parse("4294967300:4294967300:").expect("a snapshot");
        assert!(anew.shows(3) && anew.shows(u32::MAX) && !anew.shows(4));
        assert_eq!(Snapshot::parse("740"), None);
        assert_eq!(Snapshot::parse("740:741:x"), None);
    }

    #[test]
    fn instants_of_the_calendar_are_numbers_and_others_stay_text() {
        assert_eq!(instant("1970-01-01 00:00:01+00"), Some(1_000_000));
        assert_eq!(instant("2025-10-01 02:00:00.25+00"), Some(1_759_284_000_250_000));
        for other in ["infinity", "0044-03-15 00:00:00+00 BC", "10000-01-01 00:00:00+00", "2025-10-01 10:00:00+08"] {
            assert_eq!(instant(other), None, "{other}");
        }
    }

    #[test]
    fn a_place_is_written_as_the_server_writes_it() {
        assert_eq!(place(0x0001_0000_0152_EF00), "10000/152EF00");
    }

    #[test]
    fn values_are_written_as_a_cast_to_text_writes_them() {
        let columns = ["a", "b", "c", "d", "e", "f"];
        let kinds = [Kind::Truth, Kind::Padded, Kind::Address, Kind::Instant, Kind::Same, Kind::Same];
        let written = |(name, kind): (&str, Kind)| Written { name: name.to_owned(), key: format!("\"{name}\":"), kind };
        let writer = RowWriter { columns: columns.into_iter().zip(kinds).map(written).collect() };
        let text = Datum::Text;
        let new = [text(b"t"), text(b"ab  "), text(b"10.0.0.1"), text(b"1970-01-01 00:00:01+00"), Datum::Unchanged, Datum::Null];
        let (line, lacking) = writer.line(&new, None);
        let line = String::from_utf8(line).expect("text");
        assert!(line.starts_with(r#"{"a":"true","b":"ab","c":"10.0.0.1/32","d":1000000,"e":["not sent"#), "{line}");
        assert_eq!(lacking, ["e"]);
        let old = [Datum::Null, Datum::Null, Datum::Null, Datum::Null, text(b"say \"x\""), Datum::Null];
        let (line, lacking) = writer.line(&new, Some(&old));
        let line = String::from_utf8(line).expect("text");
        assert!(line.ends_with(r#""d":1000000,"e":"say \"x\""}"#), "{line}");
        assert_eq!(lacking, Vec::<&str>::new());
        let (line, _) = writer.line(&[Datum::Null, text(b"\xff\"\n")], None);
        assert_eq!(line, b"{\"b\":\"\xff\"}");
    }
}

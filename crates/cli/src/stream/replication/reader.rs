//! From the messages of a slot to parcels: whole transactions, in their order, each table by itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ::ingest::{Came, Change, Datum, Replica, RowWriter, Said, Snapshot, change};
use wal::point::pass;

use super::{Ended, Entry, Shard};
use crate::stream::inside::Pause;
use crate::stream::parcel::{Cargo, Parcel, Reached};

/// Rows that are taken with one sync.
const ROWS_MAX: usize = 2_000;
/// Their bytes.
const BYTES_MAX: usize = 4 << 20;

/// Rows that wait to be given, and their bytes.
#[derive(Default)]
struct Held {
    rows: Vec<Vec<u8>>,
    bytes: usize,
    /// So many parts of the transaction were given already.
    parts: usize,
    /// Parts were given: a position follows even if no row is left.
    is_touched: bool,
}

impl Held {
    fn push(&mut self, row: Vec<u8>) {
        self.bytes += row.len();
        self.rows.push(row);
    }

    fn is_full(&self) -> bool {
        ROWS_MAX <= self.rows.len() || BYTES_MAX <= self.bytes
    }

    fn append(&mut self, other: &mut Held) {
        self.rows.append(&mut other.rows);
        self.bytes += std::mem::take(&mut other.bytes);
        self.is_touched |= 0 < std::mem::take(&mut other.parts);
    }
}

/// What stood in a table before its changes are read, and those that came while it was copied.
///
/// The position is given with the very last of it: whatever ends this in between lets it begin anew.
pub(super) async fn copy(
    it: &Entry,
    replica: &mut Replica,
    shard: usize,
    reached: &mut [Option<Reached>],
    system: i64,
) -> Result<(), Ended> {
    let Shard { table, pipeline, .. } = &it.shards[shard];
    tracing::info!(door = it.source.as_str(), table = table.as_str(), "first copy");
    let copying = replica.copying(&it.config.publication, table, pipeline).await?;
    let mut other = Replica::connect(&it.address).await?;
    let snapshot = other.snapshot().await?;
    // Whatever the snapshot shows was committed before this place; what lies before it and is not shown is read below.
    let up_to = replica.mark().await?;
    {
        let mut rows = other.rows(&copying);
        let mut held = Held::default();
        loop {
            let row = rows.next().await?;
            let is_last = row.is_none();
            if let Some(row) = row {
                held.push(row);
            }
            if held.is_full() || (is_last && !held.rows.is_empty()) {
                let rows = std::mem::take(&mut held).rows;
                keep(it, shard, Parcel { cargo: Cargo::Messages(rows), key: None, reached: None }).await;
                pass("replication.copied");
            }
            if is_last {
                break;
            }
        }
    }
    other.close().await;
    let domains = replica.domains().await?;
    let mut reader = Reader::new(it, Way::CatchUp { shard, snapshot, up_to }, reached, system, &domains);
    reader.read(replica, Some(up_to), None).await?;
    reader.stand_at(shard, up_to).await;
    Ok(())
}

/// Which changes are taken.
pub(super) enum Way {
    /// Those beyond the position of their table.
    On,
    /// Those of one table that a snapshot does not show, up to a place.
    CatchUp { shard: usize, snapshot: Snapshot, up_to: i64 },
}

/// A table whose changes come.
struct Known {
    shard: Option<usize>,
    writer: Option<RowWriter>,
}

/// The transaction that is being read.
#[derive(Clone, Copy)]
struct Begun {
    commit_lsn: i64,
    xid: u32,
}

/// Puts the changes of one look together and gives them on.
pub(super) struct Reader<'a> {
    it: &'a Entry,
    way: Way,
    reached: &'a mut [Option<Reached>],
    system: i64,
    domains: &'a HashMap<u32, u32>,
    known: HashMap<u32, Known>,
    begun: Option<Begun>,
    /// Rows of the transaction that is being read, by table.
    open: Vec<Held>,
    /// Rows of those that are whole.
    ready: Vec<Held>,
    /// Behind the last commit.
    pub(super) end: Option<i64>,
    /// The last position that was given.
    pub(super) given_to: Option<i64>,
    /// Columns of which it was told that their values do not come.
    told: BTreeSet<(usize, String)>,
    /// Transactions with rows of tables that were not copied yet.
    pub(super) unseen: BTreeSet<u32>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        it: &'a Entry,
        way: Way,
        reached: &'a mut [Option<Reached>],
        system: i64,
        domains: &'a HashMap<u32, u32>,
    ) -> Self {
        let none = || -> Vec<Held> { it.shards.iter().map(|_| Held::default()).collect() };
        Self {
            it,
            way,
            reached,
            system,
            domains,
            known: HashMap::new(),
            begun: None,
            open: none(),
            ready: none(),
            end: None,
            given_to: None,
            told: BTreeSet::new(),
            unseen: BTreeSet::new(),
        }
    }

    /// Reads what the slot gives and gives it on; how many messages there were.
    pub(super) async fn read(&mut self, replica: &mut Replica, up_to: Option<i64>, most: Option<i32>) -> Result<usize, Ended> {
        let it = self.it;
        let mut n = 0;
        let mut changes = replica.changes(&it.look(up_to, most));
        while let Some(came) = changes.next().await? {
            n += 1;
            match came {
                Came::Message(message) => self.take(&message).await?,
                Came::TooLarge(bytes) => {
                    return Err(Ended::Stopped(Said::new(
                        format!("有一行变更长 {bytes} 字节，超过 {}：请调大 stream.body_bytes_max 后重启", it.bytes_max),
                        format!(
                            "a changed row is {bytes} bytes long, more than {}: raise stream.body_bytes_max and restart",
                            it.bytes_max
                        ),
                    )));
                }
            }
        }
        drop(changes);
        self.give_ready().await;
        Ok(n)
    }

    /// Whether a change of a table is one that we do not have.
    fn is_news(&self, shard: usize, begun: Begun) -> bool {
        match &self.way {
            // A table without a position is copied later, and the copy has them.
            Way::On => self.reached[shard].as_ref().is_some_and(|it| it.position <= begun.commit_lsn),
            Way::CatchUp { shard: wanted, snapshot, up_to } => {
                *wanted == shard && begun.commit_lsn < *up_to && !snapshot.shows(begun.xid)
            }
        }
    }

    async fn take(&mut self, message: &[u8]) -> Result<(), Ended> {
        let Some(change) = change(message) else {
            return Err(Ended::Stopped(Said::new(
                "数据库发来的变更无法识别，没有再读取：请升级本平台",
                "a change came that is written in no known way; nothing more was read: bring this platform up to date",
            )));
        };
        match change {
            Change::Begin { commit_lsn, xid } => self.begun = Some(Begun { commit_lsn, xid }),
            Change::Commit { end_lsn } => {
                for (ready, open) in self.ready.iter_mut().zip(&mut self.open) {
                    ready.append(open);
                }
                self.begun = None;
                self.end = Some(end_lsn);
                if self.ready.iter().any(Held::is_full) {
                    self.give_ready().await;
                }
            }
            Change::Relation(relation) => {
                let table = format!("{}.{}", relation.schema, relation.name);
                let shard = self.it.shards.iter().position(|it| it.table == table);
                let writer = shard.map(|it| RowWriter::new(&self.it.shards[it].pipeline, &relation, self.domains));
                self.known.insert(relation.id, Known { shard, writer });
            }
            Change::Insert { relation, new } => self.row(relation, &new, None).await,
            Change::Update { relation, old, has_new_key, new } => {
                if has_new_key {
                    self.removed(relation);
                }
                self.row(relation, &new, old.as_deref()).await;
            }
            Change::Delete { relation } => self.removed(relation),
            Change::Truncate { relations } => self.truncated(&relations),
            Change::Other => {}
        }
        Ok(())
    }

    /// Notes the transaction of a row whose table waits for its first copy.
    fn note_unseen(&mut self, relation: u32) {
        let shard = self.known.get(&relation).and_then(|it| it.shard);
        if let (Way::On, Some(shard), Some(begun)) = (&self.way, shard, self.begun)
            && self.reached[shard].is_none()
        {
            self.unseen.insert(begun.xid);
        }
    }

    /// The table of a change, if it is one of ours and the change is news.
    fn news_of(&self, relation: u32) -> Option<usize> {
        let shard = self.known.get(&relation)?.shard?;
        self.begun.is_some_and(|it| self.is_news(shard, it)).then_some(shard)
    }

    async fn row(&mut self, relation: u32, new: &[Datum<'_>], old: Option<&[Datum<'_>]>) {
        self.note_unseen(relation);
        let Some(shard) = self.news_of(relation) else { return };
        let Some(writer) = self.known.get(&relation).and_then(|it| it.writer.as_ref()) else { return };
        let (line, lacking) = writer.line(new, old);
        let lacking: Vec<String> = lacking.into_iter().map(str::to_owned).collect();
        for column in lacking {
            let table = &self.it.shards[shard].table;
            if self.told.insert((shard, column.clone())) {
                self.it.trouble(
                    &format!(
                        "{table} 有行变更，但未改动的长字段 {column} 服务器不发送，这些行已隔离：请在数据库执行 ALTER TABLE {table} REPLICA \
                         IDENTITY FULL"
                    ),
                    &format!(
                        "a row of {table} changed, and the server does not send its long value {column}, which did not; such rows wait in \
                         quarantine: in the database, ALTER TABLE {table} REPLICA IDENTITY FULL"
                    ),
                );
            }
        }
        self.open[shard].push(line);
        if self.open[shard].is_full() {
            self.give_part(shard).await;
        }
    }

    /// Nothing is removed here: what was true stays what was known then.
    fn removed(&self, relation: u32) {
        if self.news_of(relation).is_some() {
            self.it.door.board.removed(&self.it.source, 1);
        }
    }

    fn truncated(&self, relations: &[u32]) {
        for shard in relations.iter().filter_map(|it| self.news_of(*it)) {
            let table = &self.it.shards[shard].table;
            self.it.trouble(
                &format!("{table} 在数据库里被整表清空（TRUNCATE）；这里一行都没有删除：请与管理员核实"),
                &format!("{table} was emptied in the database (TRUNCATE); nothing was removed here: ask its administrator whether that was meant"),
            );
        }
    }

    /// Gives a part of a transaction that is larger than one parcel. Should it come again it is known by its place and bytes.
    async fn give_part(&mut self, shard: usize) {
        // What came before it is given before it.
        self.give_ready().await;
        let held = &mut self.open[shard];
        held.parts += 1;
        held.bytes = 0;
        let cargo = Cargo::Messages(std::mem::take(&mut held.rows));
        let key = self.begun.map(|it| format!("{}/{}/{}", it.commit_lsn, held.parts, cargo.hash()));
        keep(self.it, shard, Parcel { cargo, key, reached: None }).await;
        pass("replication.kept");
    }

    /// Gives the rows of all transactions that are whole.
    async fn give_ready(&mut self) {
        for shard in 0..self.ready.len() {
            let held = std::mem::take(&mut self.ready[shard]);
            if held.rows.is_empty() && !held.is_touched {
                continue;
            }
            // While a copy is caught up with, its end alone is a position.
            let position = self.end.filter(|_| matches!(self.way, Way::On));
            self.give(shard, held.rows, position).await;
            pass("replication.kept");
        }
    }

    async fn give(&mut self, shard: usize, rows: Vec<Vec<u8>>, position: Option<i64>) {
        let source = self.it.shards[shard].source.clone();
        let reached = position.map(|position| Reached { source, position, born_us: self.system, at_us: None });
        let parcel = Parcel { cargo: Cargo::Messages(rows), key: None, reached: reached.clone() };
        keep(self.it, shard, parcel).await;
        if reached.is_some() {
            self.reached[shard] = reached;
            self.given_to = position;
        }
    }

    /// Notes that everything of the entry up to a place was read, where a table has a position.
    pub(super) async fn stand(&mut self, position: i64) {
        if let Some(shard) = self.reached.iter().position(Option::is_some) {
            self.stand_at(shard, position).await;
        }
    }

    /// Notes that everything of a table up to a place was read.
    pub(super) async fn stand_at(&mut self, shard: usize, position: i64) {
        self.give(shard, Vec::new(), Some(position)).await;
    }
}

/// Tries until it is in the log.
async fn keep(it: &Entry, shard: usize, parcel: Parcel) {
    let Shard { pipeline, source, .. } = &it.shards[shard];
    let parcel = Arc::new(parcel);
    let mut pause = Pause::new();
    loop {
        match it.door.give(pipeline.name(), source, &parcel).await {
            Ok(answer) => {
                it.door.board.took(&it.source, answer["rows_in"].as_u64().unwrap_or(0));
                return;
            }
            Err(refusal) => {
                it.door.board.waits(&it.source, &refusal);
                tokio::time::sleep(pause.grown()).await;
            }
        }
    }
}

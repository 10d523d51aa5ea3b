//! Changes of a PostgreSQL database by position: where a transaction was committed goes with its rows into the log and into
//! the table's commit.
//!
//! Every table is a shard. What stood in it before the slot was made comes by a first copy under a snapshot; after it the
//! changes that the snapshot does not show. The slot is moved on after the rows are in the log and synced, so what the
//! server believes that we have does not count. A transaction is as large as it likes: its rows go on in parts, each known
//! again by its place in the transaction, and the position moves with its end.

mod anew;
mod fit;
mod held;
mod newcomers;
mod reader;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::ingest::{Look, Replica, ReplicaAddress, ReplicaTrust, Said};
use schema::Pipeline;
use tokio::task::JoinHandle;
use url::Url;
use wal::point::pass;

pub(super) use self::held::slots;

use self::anew::Anew;
use self::fit::{check_approvals, check_published, refused, unfit};
use self::held::heavy;
use self::newcomers::Newcomers;
use self::reader::{Reader, Way, copy};
use super::broker::is_here;
use super::config::Postgres;
use super::door::Doorstep;
use super::inside::{Pause, check_name, check_pipeline};
use super::parcel::Reached;
use super::positions;
use crate::exit::Caller;
use crate::house::House;

/// Messages of one look at the slot: each look is decoded by the server as a whole.
const LOOK_MAX: i32 = 20_000;
/// Between two looks at a server that has nothing new.
const POLL: Duration = Duration::from_millis(500);
/// So much that is nothing of ours moves the slot on too: the server frees its log in pieces of this size.
const IDLE_BYTES: i64 = 16 << 20;
/// A connection that held for so long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// Between two looks at a server that was refused.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Begins a worker for every entry of the settings.
pub(super) fn open(house: &Arc<House>, door: &Arc<Doorstep>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut entries: Vec<Entry> = Vec::new();
    for config in &house.settings.stream.postgres {
        let it = Entry::new(house, door, config)?;
        let is_taken =
            |other: &Entry| other.source == it.source || (other.config.url == config.url && other.config.slot == config.slot);
        if entries.iter().any(is_taken) {
            anyhow::bail!(Caller(format!(
                "stream.postgres \"{}\"：name 或 slot 重复，两处会互相取走对方的数据 / stream.postgres \"{}\": its name or slot is used twice: \
                 one would take from the other",
                config.name, config.name
            )));
        }
        entries.push(it);
    }
    let begun = entries.into_iter().map(|it| {
        let pipelines: BTreeSet<&str> = it.shards.iter().map(|it| it.pipeline.name()).collect();
        it.door.board.begin(&it.source, &pipelines.into_iter().collect::<Vec<_>>().join(" "));
        tokio::spawn(run(it))
    });
    Ok(begun.collect())
}

/// One entry of the settings.
struct Entry {
    door: Arc<Doorstep>,
    config: Postgres,
    /// `postgres/<name>`: its name among the doors.
    source: String,
    address: ReplicaAddress,
    shards: Vec<Shard>,
    /// A longer message of the server is not asked for.
    bytes_max: i64,
}

/// One table of an entry.
struct Shard {
    /// `schema.table`.
    table: String,
    pipeline: Pipeline,
    /// `postgres/<name>/<schema.table>`: the application of its positions in the raw table.
    source: String,
}

/// Why a session ended.
enum Ended {
    /// The connection is gone, or something is missing at the server: another try, after a pause.
    Lost(Said),
    /// A person has to decide.
    Stopped(Said),
}

impl From<Said> for Ended {
    fn from(said: Said) -> Self {
        Ended::Lost(said)
    }
}

impl Entry {
    fn new(house: &House, door: &Arc<Doorstep>, config: &Postgres) -> anyhow::Result<Self> {
        let broker = config.broker();
        let setting = &broker.setting;
        check_name(setting, &config.name)?;
        // As the server wants it: other letters would be refused with words that name no setting.
        let is_slot = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
        if config.slot.is_empty() || !config.slot.chars().all(is_slot) {
            return Err(broker.wrong("slot 只能用小写字母、数字和 _", "a slot has small letters, digits and _ only"));
        }
        if config.publication.is_empty() || config.tables.is_empty() {
            return Err(broker.wrong(
                "须有 publication 和 tables，如 { \"public.repair\" = \"office_repair\" }",
                "publication and tables are needed, such as { \"public.repair\" = \"office_repair\" }",
            ));
        }
        let mut shards = Vec::new();
        for (table, name) in &config.tables {
            if table.split('.').count() != 2 || table.split('.').any(str::is_empty) {
                return Err(broker.wrong(
                    &format!("tables 里的 \"{table}\" 应写作 \"模式.表\""),
                    &format!("\"{table}\" in tables should be \"schema.table\""),
                ));
            }
            check_pipeline(house, setting, name)?;
            let pipeline = house.project.pipelines.iter().find(|it| it.name() == name && it.is_database());
            let Some(pipeline) = pipeline else {
                // Else the instants of a row would be read otherwise than the ingest reads them.
                return Err(broker.wrong(
                    &format!("pipelines/{name}.toml 的 source.kind 应为 \"postgres\""),
                    &format!("source.kind in pipelines/{name}.toml should be \"postgres\""),
                ));
            };
            shards.push(Shard {
                table: table.clone(),
                pipeline: pipeline.clone(),
                source: format!("postgres/{}/{table}", config.name),
            });
        }
        Ok(Self {
            door: door.clone(),
            config: config.clone(),
            source: format!("postgres/{}", config.name),
            address: address(config, &house.place.project)?,
            shards,
            bytes_max: i64::try_from(house.settings.stream.body_bytes_max.0).unwrap_or(i64::MAX),
        })
    }

    fn look(&self, up_to: Option<i64>, most: Option<i32>) -> Look<'_> {
        let Postgres { slot, publication, .. } = &self.config;
        Look { slot, publication, up_to, most, bytes_max: self.bytes_max }
    }

    /// Tells that something went wrong while the door stays open.
    fn trouble(&self, zh: &str, en: &str) {
        tracing::warn!(door = self.source.as_str(), why = en, "the door stays open");
        self.door.board.trouble(&self.source, zh, en);
    }
}

/// Reads the address. A server on another machine has to show a certificate, unless the settings say that they know.
fn address(config: &Postgres, project: &Path) -> anyhow::Result<ReplicaAddress> {
    let broker = config.broker();
    let shape = || {
        broker.wrong(
            "url 应写作 postgres://主机:端口/数据库，用户和口令写在 user 和 password",
            "url is postgres://host:port/database; user and password stand in `user` and `password`",
        )
    };
    let url = Url::parse(broker.url).map_err(|_| shape())?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let database = url.path().trim_start_matches('/');
    let is_ours = matches!(url.scheme(), "postgres" | "postgresql");
    if !is_ours || !is_bare || database.is_empty() || database.contains('/') {
        return Err(shape());
    }
    let host = url.host_str().filter(|it| !it.is_empty()).ok_or_else(shape)?;
    let Some((user, password)) = broker.login()? else {
        return Err(broker.wrong("须有 user，其角色要有 REPLICATION 权限", "a user is needed, whose role has REPLICATION"));
    };
    let file = |it: Option<&std::path::PathBuf>| it.map(|it| project.join(it));
    let (ca, cert, key) = (file(broker.ca_file), file(broker.cert_file), file(broker.key_file));
    if cert.is_some() != key.is_some() {
        return Err(broker.wrong("cert_file 与 key_file 须成对", "cert_file and key_file come together"));
    }
    let trust = ReplicaTrust {
        is_strict: ca.is_some() || !(is_here(host) || broker.plain),
        ca: ca.as_deref(),
        own: cert.as_deref().zip(key.as_deref()),
    };
    let bare = host.trim_matches(['[', ']']);
    Ok(ReplicaAddress::new(bare, url.port().unwrap_or(5432), database, Some((user.as_str(), password.as_str())), trust))
}

async fn run(it: Entry) {
    let mut pause = Pause::new();
    // Known once: after that they move with what was taken.
    let (mut reached, mut anew) = loop {
        match known(&it).await {
            Ok(known) => break known,
            Err(error) => {
                it.door.board.lost(&it.source, "未能读出已收到的位置", &format!("could not read the position: {error:#}"));
                tokio::time::sleep(pause.grown()).await;
            }
        }
    };
    pause.reset();
    loop {
        let began = Instant::now();
        let ended = match session(&it, &mut reached, &mut anew).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        };
        if GOOD < began.elapsed() {
            pause.reset();
        }
        match ended {
            Ended::Lost(said) => {
                it.door.board.lost(&it.source, &said.zh, &said.en);
                tokio::time::sleep(pause.grown()).await;
            }
            Ended::Stopped(said) => {
                it.door.board.stopped(&it.source, &said.zh, &said.en);
                // Somebody may put right what is wrong. What a table changes while it is not published has to be copied later,
                // so that is looked for sooner.
                tokio::time::sleep(if anew.is_empty() { LOOK_AGAIN } else { pause.grown() }).await;
            }
        }
    }
}

/// How far each table was read, and those that have to be copied anew: their positions are worth nothing.
async fn known(it: &Entry) -> anyhow::Result<(Vec<Option<Reached>>, Anew)> {
    let anew = anew::left(it).await?;
    let mut found = Vec::new();
    for (place, shard) in it.shards.iter().enumerate() {
        let reached = positions::reached(&it.door.house, &shard.pipeline.raw_table(), &shard.source).await?;
        found.push(reached.filter(|_| !anew.contains_key(&place)));
    }
    Ok((found, anew))
}

/// One connection until its end.
async fn session(it: &Entry, reached: &mut [Option<Reached>], anew: &mut Anew) -> Result<Infallible, Ended> {
    let slot = &it.config.slot;
    check_approvals(it).await?;
    let mut replica = Replica::connect(&it.address).await?;
    let standing = replica.standing(slot).await?;
    if let Some(said) = unfit(&standing, slot) {
        return Err(Ended::Lost(said));
    }
    if let Some(said) = refused(&standing, reached, anew, slot) {
        return Err(Ended::Stopped(said));
    }
    check_published(it, &mut replica, reached, anew).await?;
    // The slot may now move beyond what they changed: a start must not forget them.
    anew::keep(it, anew).await?;
    for shard in anew.keys() {
        // What it changed while it was not published nobody gives: its position is worth nothing.
        reached[*shard] = None;
    }
    let new: Vec<usize> = (0..it.shards.len()).filter(|shard| reached[*shard].is_none()).collect();
    let mut newcomers = None;
    if standing.slot.is_none() {
        // Before any row is read: whatever changes from here on is given by it, for it begins when all that ran has ended.
        replica.make_slot(slot).await?;
        pass("replication.slot");
        for shard in new {
            copy(it, &mut replica, shard, reached, standing.system).await?;
            anew::copied(it, anew, shard).await;
        }
    } else if !new.is_empty() {
        newcomers = Some(Newcomers::begin(new, &mut replica).await?);
    }
    it.door.board.open(&it.source);
    it.door.board.removed(&it.source, 0);
    let (mut looked, mut is_warned) = (i64::MIN, false);
    loop {
        let standing = replica.standing(slot).await?;
        if let Some(said) = unfit(&standing, slot) {
            return Err(Ended::Lost(said));
        }
        if let Some(said) = refused(&standing, reached, anew, slot) {
            return Err(Ended::Stopped(said));
        }
        let Some(place) = &standing.slot else {
            return Err(Ended::Lost(Said::new("复制槽不见了", "the slot is gone")));
        };
        let behind = standing.flushed.saturating_sub(place.confirmed).max(0);
        it.door.board.holds(&it.source, behind.unsigned_abs(), place.held_bytes);
        let weight = heavy(&it.config, place.held_bytes);
        if let Some(said) = weight.as_ref().filter(|_| !is_warned) {
            it.trouble(&said.zh, &said.en);
        }
        is_warned = weight.is_some();
        let may_come = match &mut newcomers {
            Some(them) => them.may_come(&mut replica, place.confirmed).await?,
            None => false,
        };
        let notes = newcomers.as_ref().map(|them| them.notes(it)).unwrap_or_default().into_iter();
        it.door.board.notes(&it.source, notes.chain(weight.map(|said| (None, held::note(&it.source, &said)))).collect());
        if may_come && let Some(them) = newcomers.take() {
            for shard in them.shards {
                copy(it, &mut replica, shard, reached, standing.system).await?;
                anew::copied(it, anew, shard).await;
            }
            continue;
        }
        let must_pass = newcomers.as_ref().is_some_and(|them| them.must_pass(place.confirmed));
        if standing.flushed <= looked && !must_pass {
            tokio::time::sleep(POLL).await;
            continue;
        }
        let domains = replica.domains().await?;
        let mut reader = Reader::new(it, Way::On, reached, standing.system, &domains);
        let n = reader.read(&mut replica, None, Some(LOOK_MAX)).await?;
        let is_cut = usize::try_from(LOOK_MAX).is_ok_and(|most| most <= n);
        let to = match reader.given_to {
            // There is more: the next look begins behind all of this one.
            _ if is_cut => reader.end,
            given if must_pass => Some(given.map_or(standing.flushed, |it| it.max(standing.flushed))),
            Some(position) => Some(position),
            // Nothing of ours up to where the server was before the look.
            None => (IDLE_BYTES <= behind).then_some(standing.flushed),
        };
        let to = to.filter(|to| place.confirmed < *to);
        if let Some(to) = to
            && reader.given_to != Some(to)
        {
            // The slot must never stand beyond what we say that we have.
            reader.stand(to).await;
        }
        if let Some(them) = &mut newcomers {
            them.unseen.append(&mut reader.unseen);
        }
        drop(reader);
        // What was read is in the log; what is not published any more was not in it.
        check_published(it, &mut replica, reached, anew).await?;
        if let Some(to) = to {
            replica.advance(slot, to).await?;
            pass("replication.advanced");
        }
        if !is_cut {
            looked = standing.flushed;
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Stage, contract, event, run};
    use super::*;
    use crate::stream::parcel::{Cargo, Parcel};

    fn settings(url: &str, more: &str) -> Postgres {
        let text = format!("name = \"office\"\nurl = \"{url}\"\npublication = \"p\"\nslot = \"s\"\ntables = {{}}\n{more}");
        toml::from_str(&text).expect("settings")
    }

    #[test]
    fn an_address_names_host_and_database_and_no_password() {
        let is_fit = |url: &str| address(&settings(url, "user = \"yizhan\""), Path::new("")).is_ok();
        assert!(is_fit("postgres://db.example.edu.cn/office") && is_fit("postgresql://[::1]:5433/office"));
        for url in
            ["postgres://me:secret@db/office", "postgres://db", "postgres://db/a/b", "postgres://db/a?sslmode=disable", "db/a"]
        {
            assert!(!is_fit(url), "{url}");
        }
        let said = address(&settings("postgres://me:secret@db/a", "user = \"u\""), Path::new("")).expect_err("refused");
        assert!(!format!("{said:#}").contains("secret"), "{said:#}");
        assert!(address(&settings("postgres://db/office", ""), Path::new("")).is_err(), "somebody has to log in");
        let half = settings("postgres://db/office", "user = \"u\"\ncert_file = \"a.pem\"");
        assert!(address(&half, Path::new("")).is_err());
        let found = address(&settings("postgres://db/office", "user = \"u\""), Path::new("")).expect("an address");
        assert_eq!(format!("{found:?}"), "ReplicaAddress(db:5432)");
    }

    #[test]
    fn a_table_that_has_to_be_copied_anew_is_known_over_starts_until_its_copy_is_whole() {
        run(|| async {
            let of_files = "format = \"jsonl\", path = \"thing/*.jsonl\"";
            let of_database = "kind = \"postgres\", table = \"public.thing\"";
            let stage = Stage::new(&[("thing", contract("thing", "first").replace(of_files, of_database).as_str())]);
            let mut config = settings("postgres://db/office", "user = \"u\"");
            config.tables.insert("public.thing".to_owned(), "thing".to_owned());
            let source = "postgres/office/public.thing";
            let at = |position| Reached { source: source.to_owned(), position, born_us: 7, at_us: None };
            let parcel = |ids: &[u64], reached: Option<Reached>| {
                let messages = ids.iter().map(|id| event(*id, "a", 0).into_bytes()).collect();
                Arc::new(Parcel { cargo: Cargo::Messages(messages), key: None, reached })
            };
            let left = Anew::from([(0, 7)]);
            {
                let opened = stage.open().await;
                let it = Entry::new(&opened.house, &opened.door, &config).expect("an entry");
                assert_eq!(known(&it).await.expect("known"), (vec![None], Anew::new()));
                opened.door.give("thing", source, &parcel(&[1], Some(at(40)))).await.expect("taken");
                assert_eq!(known(&it).await.expect("known"), (vec![Some(at(40))], Anew::new()));
                assert!(anew::keep(&it, &left).await.is_ok());
            }
            // Killed with nothing of the copy in, then before its position is.
            for _ in 0..2 {
                let opened = stage.open().await;
                let it = Entry::new(&opened.house, &opened.door, &config).expect("an entry");
                assert_eq!(known(&it).await.expect("known"), (vec![None], left.clone()));
                opened.door.give("thing", source, &parcel(&[1, 2], None)).await.expect("taken");
            }
            {
                let opened = stage.open().await;
                let it = Entry::new(&opened.house, &opened.door, &config).expect("an entry");
                let (_, mut anew) = known(&it).await.expect("known");
                opened.door.give("thing", source, &parcel(&[], Some(at(60)))).await.expect("taken");
                assert_eq!(known(&it).await.expect("known"), (vec![None], left), "its end is in, and nobody said so");
                anew::copied(&it, &mut anew, 0).await;
                assert!(anew.is_empty());
            }
            let opened = stage.open().await;
            let it = Entry::new(&opened.house, &opened.door, &config).expect("an entry");
            assert_eq!(known(&it).await.expect("known"), (vec![Some(at(60))], Anew::new()));
        });
    }
}

//! The tables that sessions of people read: the newest version of everything stored, before any policy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use engine::{Engine, PinnedTable};
use policy::{Cause, Company, LookUp, Policies, Sessions, TableEntry, Tables};
use transform::Staged;

use crate::house::House;

/// The person table cut to its newest date, for resolving scopes; no policy names it, so nobody reads it.
const PEOPLE_NOW: &str = "people_now";

/// Stored tables by name.
#[derive(Debug)]
struct Stored {
    engine: Engine,
    /// Column with the person, by table.
    subjects: BTreeMap<String, Option<String>>,
    /// Tables that tell of the company that people keep, and what of them does.
    company: BTreeMap<String, Company>,
    people: String,
    /// Raw tables that rows are pushed to.
    pushed: BTreeSet<String>,
    /// What staging makes of them, as it is at the moment.
    staged: Staged,
}

#[async_trait]
impl Tables for Stored {
    async fn table(&self, name: &str) -> Result<Option<TableEntry>, Cause> {
        let source = if name == PEOPLE_NOW { &self.people } else { name };
        // Pushed rows count from the moment at which they were answered for.
        if self.pushed.contains(source) {
            let Some(table) = self.engine.live_table(source).await? else { return Ok(None) };
            let stored = table.snapshot().files.iter().filter_map(|it| it.partition).max();
            let newest = stored.max(table.parts().iter().filter_map(|it| it.day).max());
            let subject = self.subjects.get(source).cloned().flatten();
            let entry = TableEntry::new(table.clone(), subject.as_deref(), table.snapshot().version);
            return Ok(Some(entry.with_newest_partition(newest).with_look_up(Arc::new(Pinned(table)))));
        }
        // So does what follows from them alone: a row is staged before any build, behind the same rule as ever.
        if name != PEOPLE_NOW
            && let Some(staged) = self.staged.table(source).await?
        {
            let subject = self.subjects.get(source).cloned().flatten();
            let entry = TableEntry::new(staged.provider, subject.as_deref(), staged.version);
            let entry = entry.described_by(staged.schema).with_newest_partition(staged.newest_day);
            return Ok(Some(entry.with_company(self.company.get(source).cloned())));
        }
        let Some(mut snapshot) = self.engine.lake_of(source).snapshot(source).await? else { return Ok(None) };
        let newest = snapshot.files.iter().filter_map(|it| it.partition).max();
        if name == PEOPLE_NOW {
            snapshot.files = snapshot.files.iter().filter(|it| it.partition == newest).cloned().collect();
        }
        let version = snapshot.version;
        let subject = self.subjects.get(source).cloned().flatten();
        let table = self.engine.pin(snapshot)?;
        let entry = TableEntry::new(table.clone(), subject.as_deref(), version).with_newest_partition(newest);
        let entry = entry.with_company(self.company.get(source).cloned());
        Ok(Some(entry.with_look_up(Arc::new(Pinned(table)))))
    }

    fn names(&self) -> Result<Vec<String>, Cause> {
        let mut names = Vec::new();
        for lake in self.engine.lakes() {
            names.extend(lake.tables()?);
        }
        // A table that was never written is there as soon as the log has a row of it.
        let new = self.pushed.iter().filter(|it| !names.contains(it)).cloned().collect::<Vec<_>>();
        for name in new {
            let tail = tokio::task::block_in_place(|| self.engine.tail(&name))?;
            let has_rows = tail.is_some_and(|it| !it.parts.is_empty());
            names.extend(has_rows.then_some(name));
        }
        // Staging of a source is there as soon as a row of it is; that of events is stored nowhere.
        let has_rows = |raw: &BTreeSet<String>| raw.iter().any(|it| names.contains(it));
        let staged = self.staged.tables().iter().filter(|it| has_rows(it.1)).map(|it| it.0.clone()).collect::<Vec<_>>();
        names.extend(staged);
        names.push(PEOPLE_NOW.to_owned());
        Ok(names)
    }
}

/// Threads that run at once. To ask the system opens files, and every portrait would ask a dozen times.
static CORES: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// A version of a table as look-ups read it.
#[derive(Debug)]
struct Pinned(Arc<PinnedTable>);

#[async_trait]
impl LookUp for Pinned {
    async fn look_up(
        &self,
        column: &str,
        key: i64,
        days: &[i32],
        schema: SchemaRef,
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        // Half a year of one person lies in forty files: every core reads a part of them.
        let read = days.chunks(days.len().div_ceil(*CORES).max(1)).map(|days| {
            let (table, column, days, schema) = (Arc::clone(&self.0), column.to_owned(), days.to_vec(), Arc::clone(&schema));
            tokio::task::spawn_blocking(move || table.look_up(&column, key, &days, &schema))
        });
        // All are begun before the first is waited for.
        let mut found = Vec::new();
        for part in read.collect::<Vec<_>>() {
            found.extend(part.await.map_err(|cut_off| DataFusionError::External(Box::new(cut_off)))??);
        }
        Ok(found)
    }
}

/// The project's roles, checked.
pub(crate) fn policies(house: &House) -> anyhow::Result<Policies> {
    let files = house.project.policies.iter().map(|(path, text)| (path.as_path(), text.as_str()));
    let policies = Policies::parse(files)?;
    let findings = policy::check(&policies);
    if let Some(first) = findings.first() {
        anyhow::bail!(crate::exit::Caller(first.to_string()));
    }
    Ok(policies)
}

/// Sessions over the lake of a house, one factory a process.
pub(crate) async fn sessions(house: &House, audit: Arc<dyn policy::Audit>) -> anyhow::Result<Sessions> {
    let subjects = house.graph.nodes().iter().map(|it| (it.name.clone(), it.subject.clone())).collect();
    let people = house.settings.subject.table.clone();
    let pushed = house.engine.tail_tables().into_iter().collect();
    let staged = Staged::new(&house.engine, &house.graph, &house.project.pipelines, house.building()).await?;
    let stored = Arc::new(Stored { engine: house.engine.clone(), subjects, company: company(house), people, pushed, staged });
    let config = policy::Config {
        rows_max: house.settings.policy.rows_max,
        timeout_ms: house.settings.policy.timeout_seconds * 1000,
        memory_bytes: usize::try_from(house.settings.engine.memory.0).unwrap_or(usize::MAX) / 2,
        register: policy::Register { table: PEOPLE_NOW.to_owned(), ..policy::Register::default() },
        ..policy::Config::default()
    };
    let mut parts = policy::Parts::new(policies(house)?, stored, house.clock(), secret(house)?);
    parts.audit = audit;
    parts.stores = house.engine.lakes().map(|it| store_of(it.root())).collect::<Result<_, _>>()?;
    Ok(Sessions::new(config, parts)?)
}

/// Tables that tell of the company that people keep: pairs, and the measures of it.
fn company(house: &House) -> BTreeMap<String, Company> {
    let people = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let mut company = BTreeMap::from([("closed_edge".to_owned(), Company { people: people(&["u", "v"]), only: None })]);
    for it in house.graph.measures().iter().filter(|it| it.front.dimension.as_deref() == Some("social")) {
        let table = if it.front.class == Some(schema::Class::Closed) { "closed_measure" } else { "feat_measure" };
        let of_person = || Company { people: people(&["student_key"]), only: Some(("measure".to_owned(), Vec::new())) };
        let entry = company.entry(table.to_owned()).or_insert_with(of_person);
        if let Some((_, measures)) = &mut entry.only {
            measures.push(it.name.clone());
        }
    }
    company
}

/// Only the lake's folder can be read, whatever path a plan names.
fn store_of(root: &Path) -> anyhow::Result<(url::Url, Arc<dyn object_store::ObjectStore>)> {
    let Ok(url) = url::Url::from_directory_path(root) else { anyhow::bail!("the lake's folder has no absolute path") };
    Ok((url, Arc::new(object_store::local::LocalFileSystem::new())))
}

/// Key of hashed columns: made once, kept beside the vault's key.
fn secret(house: &House) -> anyhow::Result<[u8; 32]> {
    let path = house.place.data.join("keys").join("mask.key");
    if let Ok(bytes) = std::fs::read(&path)
        && let Ok(secret) = <[u8; 32]>::try_from(bytes.as_slice())
    {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("the system gave no random bytes: {error}"))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(&path)?, &secret)?;
    Ok(secret)
}

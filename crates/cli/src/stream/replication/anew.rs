//! Tables that left their publication for a time, and so have to be copied anew.
//!
//! What such a table changed meanwhile is never given, and after it is back nothing at the server tells that it was gone.
//! So that stands in the store before anything else is done, and goes only when the position of a whole copy is in the log:
//! killed in between, the copy is made once more, and rows that are here already are set aside by the contract's key.

use std::collections::BTreeMap;

use ::ingest::Said;

use super::{Ended, Entry, Shard};

/// Each of them by its place among the tables of its entry, with the number of the server that it was read from.
pub(super) type Anew = BTreeMap<usize, i64>;

/// Where it is kept.
fn name(source: &str) -> String {
    format!("anew.{source}")
}

/// Those that a server before this one left.
pub(super) async fn left(it: &Entry) -> anyhow::Result<Anew> {
    let meta = it.door.house.store.meta();
    let mut found = Anew::new();
    for (shard, Shard { source, .. }) in it.shards.iter().enumerate() {
        if let Some(system) = meta.get(&name(source)).await?.filter(|it| !it.is_empty()) {
            found.insert(shard, system.parse()?);
        }
    }
    Ok(found)
}

/// Keeps them over a start.
pub(super) async fn keep(it: &Entry, anew: &Anew) -> Result<(), Ended> {
    let meta = it.door.house.store.meta();
    for (shard, system) in anew {
        let Shard { table, source, .. } = &it.shards[*shard];
        if let Err(error) = meta.set(&name(source), &system.to_string()).await {
            return Err(Ended::Lost(Said::new(
                format!("{table} 须重新整表复制，但未能记下，没有再读取：请确认平台的数据目录（或其数据库）可写，之后自动重试"),
                format!(
                    "{table} has to be copied anew, and that could not be kept, so nothing more was read: look whether the platform's data \
                     folder (or its database) can be written; it tries again by itself: {error:#}"
                ),
            )));
        }
    }
    Ok(())
}

/// A table was copied, and the position of its copy is in the log.
pub(super) async fn copied(it: &Entry, anew: &mut Anew, shard: usize) {
    if anew.remove(&shard).is_none() {
        return;
    }
    let source = &it.shards[shard].source;
    if let Err(error) = it.door.house.store.meta().set(&name(source), "").await {
        tracing::warn!(door = source.as_str(), error = format!("{error:#}"), "after a start it is copied once more");
    }
}

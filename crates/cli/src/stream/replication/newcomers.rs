//! Tables that join an entry whose slot was there before them.
//!
//! Whether a change is published is decided by how the publication stood when the change was made. A transaction that was
//! open while a table was added has rows that the slot does not give, and a copy that is made before its end does not show
//! them. So a table is copied once every transaction has ended that may have begun before it was published.

use std::collections::BTreeSet;

use ::ingest::{Replica, Said, Snapshot};
use serve::{Sentence, Urgency};

use super::Entry;

/// Tables that wait for their first copy.
pub(super) struct Newcomers {
    pub(super) shards: Vec<usize>,
    /// Transactions from this number on began after all of them were published.
    since: u64,
    /// Of the transactions that were read meanwhile those with rows of these tables: as long as the server shows no query
    /// that they are committed, a copy would lack them too.
    pub(super) unseen: BTreeSet<u32>,
    /// How far the slot has to be before they are copied: behind every transaction that is older than the tables here, for
    /// some servers go on as such a transaction saw the publication until their look ends.
    behind: Option<i64>,
}

impl Newcomers {
    /// Begins to wait, after somebody has looked that the tables are published.
    pub(super) async fn begin(shards: Vec<usize>, replica: &mut Replica) -> Result<Self, Said> {
        let since = replica.shown().await?.upper();
        Ok(Self { shards, since, unseen: BTreeSet::new(), behind: None })
    }

    /// Looks whether they may be copied now.
    pub(super) async fn may_come(&mut self, replica: &mut Replica, confirmed: i64) -> Result<bool, Said> {
        let snapshot = replica.shown().await?;
        if !self.has_all(&snapshot) {
            return Ok(false);
        }
        let behind = match self.behind {
            Some(behind) => behind,
            None => replica.mark().await?,
        };
        self.behind = Some(behind);
        Ok(behind <= confirmed)
    }

    /// Whether a snapshot shows all that the slot does not give.
    fn has_all(&mut self, snapshot: &Snapshot) -> bool {
        self.unseen.retain(|it| !snapshot.shows(*it));
        snapshot.is_behind(self.since) && self.unseen.is_empty()
    }

    /// Whether the slot has to move on although nothing of ours was in what it gave.
    pub(super) fn must_pass(&self, confirmed: i64) -> bool {
        self.behind.is_some_and(|it| confirmed < it)
    }

    /// What is said meanwhile, of each pipeline that waits.
    pub(super) fn notes(&self, it: &Entry) -> Vec<(Option<String>, Sentence)> {
        if self.behind.is_some() {
            return Vec::new();
        }
        let note = |pipeline: &str| {
            let waits = self.shards.iter().map(|shard| &it.shards[*shard]).filter(|shard| shard.pipeline.name() == pipeline);
            let tables = waits.map(|shard| shard.table.as_str()).collect::<Vec<_>>().join(", ");
            let todo =
                "SELECT pid, usename, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start";
            let text = [
                format!("{} 新加入的 {tables} 尚未复制：在等待数据库里早于其发布的事务结束，之后自动复制", it.source),
                format!(
                    "{tables}, new in {}, is not copied yet: it waits for transactions of the database that began before it was published, \
                     and is copied by itself after them",
                    it.source
                ),
            ];
            let todo = [
                format!("若久未结束，请数据库管理员查看：{todo}"),
                format!("if that takes long, let the database's administrator look: {todo}"),
            ];
            Sentence::new("table_waits", Urgency::Watch, text, [todo[0].as_str(), todo[1].as_str()])
        };
        let pipelines: BTreeSet<&str> = self.shards.iter().map(|shard| it.shards[*shard].pipeline.name()).collect();
        pipelines.into_iter().map(|name| (Some(name.to_owned()), note(name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_copied_once_all_has_ended_that_began_before_it_was_published() {
        let snapshot = |text: &str| Snapshot::parse(text).expect("a snapshot");
        let mut them = Newcomers { shards: vec![1], since: 740, unseen: BTreeSet::new(), behind: None };
        assert!(!them.has_all(&snapshot("733:741:733")), "733 may have begun before the table was published");
        assert!(!them.has_all(&snapshot("739:745:739,742")));
        assert!(them.has_all(&snapshot("740:745:740,742")), "what is younger is given by the slot");
        // Committed and given, and not shown to any query yet, as where a server waits for another one.
        them.unseen.insert(742);
        assert!(!them.has_all(&snapshot("740:745:740,742")));
        assert!(them.has_all(&snapshot("740:745:740")) && them.unseen.is_empty());
        assert!(!them.must_pass(0));
        them.behind = Some(50);
        assert!(them.must_pass(49) && !them.must_pass(50));
    }
}

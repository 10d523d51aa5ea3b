//! Whether a server gives what is asked of it: before its first row, and whether it is still the one that it was.

use std::collections::HashMap;

use ::ingest::{Published, Replica, Said, Standing};

use super::anew::{self, Anew};
use super::{Ended, Entry};
use crate::approval;
use crate::stream::parcel::Reached;

/// What has to be said to whoever publishes a table: its own users would notice first.
const KEYLESS: (&str, &str) = (
    "没有主键的表须先执行 ALTER TABLE … REPLICA IDENTITY FULL，否则发布后它自己的更新会出错",
    "a table without a primary key first needs ALTER TABLE … REPLICA IDENTITY FULL, else its own updates fail once it is published",
);

/// Whether a server is the one that our positions are of, and its slot whole: what to say if not.
pub(super) fn refused(standing: &Standing, reached: &[Option<Reached>], anew: &Anew, slot: &str) -> Option<Said> {
    let renamed = (
        "给这一项另起一个 name：各表将重新整表复制，已有的行按约定的键剔除",
        "give this entry another name: the tables are copied anew, and rows that are here already are set aside by the contract's key",
    );
    let known: Vec<&Reached> = reached.iter().flatten().collect();
    // A table that is copied anew is one of the same server too.
    if known.iter().map(|it| it.born_us).chain(anew.values().copied()).any(|system| system != standing.system) {
        return Some(Said::new(
            format!("这是另一台数据库服务器（系统标识不同），没有读取：请接回原来的服务器；若确实换了，{}", renamed.0),
            format!(
                "this is another server (its system identifier differs), and nothing was read: connect the one before; if it really was \
                 replaced, {}",
                renamed.1
            ),
        ));
    }
    let Some(position) = known.iter().map(|it| it.position).max() else {
        // Nothing was read yet: whatever the slot gives, a copy is made after it.
        let lost = standing.slot.as_ref().is_some_and(|it| it.is_lost);
        return lost.then(|| {
            Said::new(
                format!("复制槽 {slot} 已失效：请执行 SELECT pg_drop_replication_slot('{slot}')，将重新建立"),
                format!("slot {slot} is lost: SELECT pg_drop_replication_slot('{slot}'), and it is made anew"),
            )
        });
    };
    let Some(found) = &standing.slot else {
        return Some(Said::new(
            format!("复制槽 {slot} 不见了，期间的变更无从得知，没有读取：{}", renamed.0),
            format!("slot {slot} is gone, and nobody knows what changed since; nothing was read: {}", renamed.1),
        ));
    };
    if found.is_lost {
        return Some(Said::new(
            format!(
                "复制槽 {slot} 已失效：服务器为腾出磁盘丢弃了所需的日志（max_slot_wal_keep_size）。请执行 SELECT \
                 pg_drop_replication_slot('{slot}')，并{}",
                renamed.0
            ),
            format!(
                "slot {slot} is lost: the server threw away the log that it needed (max_slot_wal_keep_size). SELECT \
                 pg_drop_replication_slot('{slot}'), and {}",
                renamed.1
            ),
        ));
    }
    if standing.flushed < position {
        return Some(Said::new(
            format!("服务器的日志比已收到的位置短：它恢复到了较早的备份，没有读取。请恢复其数据；若确实如此，{}", renamed.0),
            format!(
                "the server's log ends before what was taken: it was put back to an earlier backup; nothing was read. Put its data back; \
                 if it has to stay so, {}",
                renamed.1
            ),
        ));
    }
    if position < found.confirmed {
        return Some(Said::new(
            format!(
                "复制槽 {slot} 越过了已收到的位置：有别的程序读走了变更，或从 tables 去掉过一张表，没有读取。请核实；然后{}",
                renamed.0
            ),
            format!(
                "slot {slot} stands beyond what was taken: somebody else read changes from it, or a table was taken out of `tables`; nothing was \
                 read. Look which; then {}",
                renamed.1
            ),
        ));
    }
    None
}

/// What has to be so at the server before anything is read.
pub(super) fn unfit(standing: &Standing, slot: &str) -> Option<Said> {
    if standing.is_standby {
        return Some(Said::new(
            "这是备用服务器：请把 url 指向主服务器",
            "this server follows another one: let `url` name the one that it follows",
        ));
    }
    if standing.wal_level != "logical" {
        return Some(Said::new(
            format!("wal_level 为 {}：请执行 ALTER SYSTEM SET wal_level = logical 并重启数据库", standing.wal_level),
            format!("wal_level is {}: ALTER SYSTEM SET wal_level = logical, and restart the database", standing.wal_level),
        ));
    }
    if standing.slot.as_ref().is_some_and(|it| !it.is_ours) {
        return Some(Said::new(
            format!("复制槽 {slot} 属于另一个数据库，或不是 pgoutput：请换一个 slot"),
            format!("slot {slot} is of another database or not of pgoutput: take another slot"),
        ));
    }
    None
}

/// Looks whether every pipeline may come in. Without that a database is not even asked: it would have to keep a copy open.
pub(super) async fn check_approvals(it: &Entry) -> Result<(), Ended> {
    for shard in it.shards.iter().filter(|it| it.pipeline.name() != approval::REGISTER) {
        let lacking = it.door.lacking(&shard.pipeline).await.map_err(|error| {
            Ended::Lost(Said::new("未能查阅数据使用审批", format!("could not look up the approvals: {error:#}")))
        })?;
        if let Some((zh, en)) = lacking {
            return Err(Ended::Lost(Said::new(zh, en)));
        }
    }
    Ok(())
}

/// Looks whether every table is published, and with all that brings rows.
///
/// What a table without it changes is never given, not even later. So of one that was read before a person is told, and it
/// stands in `anew`, over a start too: once it is published again it is copied like a table that is new.
pub(super) async fn check_published(
    it: &Entry,
    replica: &mut Replica,
    reached: &[Option<Reached>],
    anew: &mut Anew,
) -> Result<(), Ended> {
    let published = replica.published(&it.config.publication).await?;
    let tables: Vec<&str> = it.shards.iter().map(|it| it.table.as_str()).collect();
    let wrong = unpublished(&it.config.publication, &tables, &published);
    let (gone, new): (Vec<_>, Vec<_>) =
        wrong.into_iter().partition(|(shard, _)| reached[*shard].is_some() || anew.contains_key(shard));
    anew.extend(gone.iter().filter_map(|(shard, _)| Some((*shard, reached[*shard].as_ref()?.born_us))));
    if let Some((_, said)) = gone.into_iter().next() {
        anew::keep(it, anew).await?;
        return Err(Ended::Stopped(Said::new(
            format!("{}。之后的变更不会再发来，没有再读取；改好后该表将自动重新整表复制", said.zh),
            format!(
                "{}. What changes meanwhile is never given, and nothing more was read; once it is put right the table is copied \
                 anew by itself",
                said.en
            ),
        )));
    }
    new.into_iter().next().map_or(Ok(()), |(_, said)| Err(Ended::Lost(said)))
}

/// Tables that a publication does not give whole, by their place, each with what to do in the database.
fn unpublished(publication: &str, tables: &[&str], published: &HashMap<String, Published>) -> Vec<(usize, Said)> {
    let said = |table: &str| {
        let Some(it) = published.get(table) else {
            let sql = format!("ALTER PUBLICATION {publication} ADD TABLE {table}");
            return Some(Said::new(
                format!("发布 {publication} 里没有 {table}：请在数据库执行 {sql}；{}", KEYLESS.0),
                format!("publication {publication} does not have {table}: in the database, {sql}; {}", KEYLESS.1),
            ));
        };
        if it.is_filtered {
            return Some(Said::new(
                format!("发布 {publication} 只含 {table} 的部分行（WHERE）：请改为发布整表"),
                format!("publication {publication} leaves out rows of {table} (WHERE): publish the whole table"),
            ));
        }
        let sql = format!("ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate')");
        it.is_partial.then(|| {
            Said::new(
                format!("发布 {publication} 不含新增或修改（publish），{table} 会缺行：请在数据库执行 {sql}"),
                format!(
                    "publication {publication} leaves out insertions or updates (publish), and rows of {table} would be missing: in the \
                     database, {sql}"
                ),
            )
        })
    };
    if published.is_empty() {
        let sql = format!("CREATE PUBLICATION {publication} FOR TABLE {}", tables.join(", "));
        let none = Said::new(
            format!("没有发布 {publication}，或其中没有表：请在数据库执行 {sql}；{}", KEYLESS.0),
            format!("there is no publication {publication}, or no table in it: in the database, {sql}; {}", KEYLESS.1),
        );
        return (0..tables.len()).map(|shard| (shard, none.clone())).collect();
    }
    tables.iter().enumerate().filter_map(|(shard, table)| Some((shard, said(table)?))).collect()
}

#[cfg(test)]
mod tests {
    use ::ingest::Slot;

    use super::*;

    #[test]
    fn a_publication_has_every_table_whole_and_tells_every_change_that_brings_rows() {
        let whole = Published::default();
        let said = |tables: &[(&str, Published)]| -> Vec<(usize, String)> {
            let published = tables.iter().map(|it| (it.0.to_owned(), it.1)).collect();
            unpublished("office", &["public.a", "public.b"], &published).into_iter().map(|it| (it.0, it.1.en)).collect()
        };
        let beside = ("public.c", Published { is_filtered: true, ..whole });
        assert!(said(&[("public.a", whole), ("public.b", whole), beside]).is_empty());
        let nothing = said(&[]);
        assert_eq!(nothing.len(), 2);
        assert!(nothing[1].1.contains("CREATE PUBLICATION office FOR TABLE public.a, public.b"), "{}", nothing[1].1);
        for (of_b, word) in [
            (None, "ALTER PUBLICATION office ADD TABLE public.b"),
            (Some(Published { is_filtered: true, ..whole }), "WHERE"),
            (Some(Published { is_partial: true, ..whole }), "publish = 'insert, update"),
        ] {
            let tables: Vec<(&str, Published)> =
                [("public.a", whole)].into_iter().chain(of_b.map(|it| ("public.b", it))).collect();
            let wrong = said(&tables);
            assert_eq!(wrong.iter().map(|it| it.0).collect::<Vec<_>>(), [1]);
            assert!(wrong[0].1.contains(word), "{}", wrong[0].1);
        }
    }

    #[test]
    fn a_server_that_is_not_what_the_positions_are_of_is_not_read() {
        let source = || "postgres/office/public.repair".to_owned();
        let reached = |position| Some(Reached { source: source(), position, born_us: 7, at_us: None });
        let slot = Slot { is_ours: true, is_lost: false, confirmed: 40, held_bytes: 0 };
        let sound =
            Standing { system: 7, is_standby: false, wal_level: "logical".to_owned(), flushed: 50, slot: Some(slot.clone()) };
        let taken = [reached(30), reached(40), None];
        let none = Anew::new();
        let said = |standing: &Standing| refused(standing, &taken, &none, "s").map(|it| it.en).unwrap_or_default();
        assert_eq!(said(&sound), "");
        assert!(said(&Standing { system: 8, ..sound.clone() }).contains("another server"));
        assert!(said(&Standing { slot: None, ..sound.clone() }).contains("slot s is gone"));
        assert!(said(&Standing { flushed: 39, ..sound.clone() }).contains("earlier backup"));
        let beyond = Slot { confirmed: 41, ..slot.clone() };
        assert!(said(&Standing { slot: Some(beyond), ..sound.clone() }).contains("somebody else read changes"));
        let lost = Standing { slot: Some(Slot { is_lost: true, ..slot }), ..sound.clone() };
        assert!(said(&lost).contains("threw away the log"));
        // Before anything was read there is nothing to compare.
        assert_eq!(refused(&Standing { slot: None, ..sound.clone() }, &[None], &none, "s"), None);
        assert_eq!(refused(&sound, &[None], &none, "s"), None);
        assert!(refused(&lost, &[None], &none, "s").is_some());
        // Nor where all that was read is copied anew, but of that server.
        let anew = Anew::from([(0, 7)]);
        assert_eq!(refused(&sound, &[None], &anew, "s"), None);
        let other = refused(&Standing { system: 8, ..sound.clone() }, &[None], &anew, "s").map(|it| it.en).unwrap_or_default();
        assert!(other.contains("another server"), "{other}");
        assert_eq!(unfit(&sound, "s"), None);
        for (standing, word) in [
            (Standing { is_standby: true, ..sound.clone() }, "follows another"),
            (Standing { wal_level: "replica".to_owned(), ..sound.clone() }, "ALTER SYSTEM SET wal_level = logical"),
            (
                Standing { slot: Some(Slot { is_ours: false, confirmed: 0, is_lost: false, held_bytes: 0 }), ..sound },
                "another slot",
            ),
        ] {
            let said = unfit(&standing, "s").expect("unfit");
            assert!(said.en.contains(word), "{}", said.en);
        }
    }
}

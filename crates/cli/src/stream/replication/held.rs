//! How much of a database server's log a slot holds back: somebody else's disk fills up because of us.

use std::path::Path;

use ::ingest::{Replica, Said, Slot, Standing};
use serve::{Sentence, Urgency};

use super::address;
use super::fit::unfit;
use crate::doctor::Line;
use crate::stream::config::Postgres;

/// What is said of a slot that holds back more than the settings say is well.
pub(super) fn heavy(config: &Postgres, held_bytes: u64) -> Option<Said> {
    let (slot, held, most) = (&config.slot, held_bytes >> 20, config.held_bytes_max.0 >> 20);
    (config.held_bytes_max.0 < held_bytes).then(|| {
        Said::new(
            format!("复制槽 {slot} 使数据库服务器保留了 {held} MiB 日志，超过 {most} MiB：请查明接入为何落后；不再需要时请删除该复制槽"),
            format!(
                "slot {slot} makes the database server keep {held} MiB of its log, more than {most} MiB: look why this door is behind, and \
                 drop the slot if nobody needs it any more"
            ),
        )
    })
}

/// The same as a sentence of its sources' state.
pub(super) fn note(source: &str, said: &Said) -> Sentence {
    let text = [format!("{source}：{}", said.zh), format!("{source}: {}", said.en)];
    let todo = [
        "长时间未结束的事务也会使日志留存；设置 max_slot_wal_keep_size 可免磁盘写满（复制槽会因此失效）",
        "a transaction that stays open keeps the log too; max_slot_wal_keep_size saves the disk, and gives up the slot",
    ];
    Sentence::new("slot_held", Urgency::Watch, text, todo)
}

/// Asks every database of the settings how its slot stands: also while no server of ours runs, which is when a log grows.
pub(crate) async fn slots(configs: &[Postgres], project: &Path) -> Vec<Line> {
    let mut lines = Vec::new();
    for config in configs {
        let about = format!("postgres/{}", config.name);
        let address = match address(config, project) {
            Ok(address) => address,
            Err(error) => {
                let text = [format!("设置有误：{error:#}"), format!("its settings are wrong: {error:#}")];
                lines.push(Line::new(&about, "settings", Urgency::Act, text, ["修改 yizhan.toml", "mend yizhan.toml"]));
                continue;
            }
        };
        let standing = match Replica::connect(&address).await {
            Ok(mut replica) => {
                let standing = replica.standing(&config.slot).await;
                replica.close().await;
                standing
            }
            Err(said) => Err(said),
        };
        lines.push(match standing {
            Ok(standing) => line(config, &about, &standing),
            Err(said) => Line::new(
                &about,
                "unreachable",
                Urgency::Watch,
                [format!("无法查看复制槽：{}", said.zh), format!("its slot cannot be looked at: {}", said.en)],
                [
                    "查看网络与数据库；读不到期间数据库会一直为复制槽保留日志",
                    "look at network and database: it keeps its log for the slot as long as nobody reads",
                ],
            ),
        });
    }
    lines
}

fn line(config: &Postgres, about: &str, standing: &Standing) -> Line {
    if let Some(said) = unfit(standing, &config.slot) {
        return Line::new(about, "unfit", Urgency::Act, [said.zh, said.en], ["", ""]);
    }
    let slot = &config.slot;
    let Some(found) = &standing.slot else {
        return Line::new(
            about,
            "no_slot",
            Urgency::Watch,
            [format!("数据库里还没有复制槽 {slot}"), format!("the database has no slot {slot} yet")],
            [
                "yizhan serve 首次接通时会建立；若曾建立过，数据质量页会说明",
                "yizhan serve makes it; if it did before, the page 数据质量 says more",
            ],
        );
    };
    if found.is_lost {
        return Line::new(
            about,
            "slot_lost",
            Urgency::Act,
            [
                format!("复制槽 {slot} 已失效，所需日志已被丢弃"),
                format!("slot {slot} is lost: the log that it needed was thrown away"),
            ],
            [
                "删除该复制槽并给这一项另起一个 name，见 docs/doors.zh-CN.md",
                "drop the slot and give the entry another name, see docs/doors.md",
            ],
        );
    }
    match heavy(config, found.held_bytes) {
        Some(said) => Line { about: about.to_owned(), said: note(about, &said) },
        None => Line::new(about, "ok", Urgency::Ok, behind(slot, standing.flushed, found), ["", ""]),
    }
}

fn behind(slot: &str, flushed: i64, found: &Slot) -> [String; 2] {
    let (behind, held) = (flushed.saturating_sub(found.confirmed).max(0) >> 20, found.held_bytes >> 20);
    [
        format!("复制槽 {slot} 落后 {behind} MiB，服务器为它保留 {held} MiB 日志"),
        format!("slot {slot} is {behind} MiB behind, and the server keeps {held} MiB of its log for it"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_holds_back_more_than_was_said_is_told_and_so_is_one_that_is_gone() {
        let text = "name = \"office\"\nurl = \"postgres://db/office\"\npublication = \"p\"\nslot = \"s\"\ntables = {}\n\
                    held_bytes_max = \"10 MiB\"";
        let config: Postgres = toml::from_str(text).expect("settings");
        let slot = Slot { is_ours: true, is_lost: false, confirmed: 3 << 20, held_bytes: 10 << 20 };
        let standing = Standing {
            system: 7,
            is_standby: false,
            wal_level: "logical".to_owned(),
            flushed: 5 << 20,
            slot: Some(slot.clone()),
        };
        let told = |slot: Option<Slot>| {
            let line = line(&config, "postgres/office", &Standing { slot, ..standing.clone() });
            (line.said.code, line.said.urgency, line.said.text_en)
        };
        let (code, urgency, text) = told(Some(slot.clone()));
        assert_eq!((code, urgency), ("ok", Urgency::Ok));
        assert!(text.contains("2 MiB behind") && text.contains("10 MiB of its log"), "{text}");
        let (code, urgency, text) = told(Some(Slot { held_bytes: 11 << 20, ..slot.clone() }));
        assert_eq!((code, urgency), ("slot_held", Urgency::Watch));
        assert!(text.contains("keep 11 MiB of its log, more than 10 MiB"), "{text}");
        assert_eq!(told(None).0, "no_slot");
        assert_eq!(told(Some(Slot { is_lost: true, ..slot.clone() })).0, "slot_lost");
        assert_eq!(told(Some(Slot { is_ours: false, ..slot })).0, "unfit");
    }
}

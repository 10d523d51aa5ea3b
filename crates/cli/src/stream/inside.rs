//! Doors without a request: they ask for approval as the HTTP door does, and try again for as long as it takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use schema::{Key, Pipeline};
use serde_json::Value;
use serve::{Admitted, PushRefusal, PushRefusalKind};
use tokio::task::JoinHandle;

use super::door::{Doorstep, refused};
use super::parcel::{Cargo, Parcel};
use super::{drop_folder, kafka, mqtt, nats, replication};
use crate::approval;
use crate::house::House;

/// The first pause after a failure, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Pauses that grow until something went well.
pub(super) struct Pause {
    next: Duration,
}

impl Pause {
    pub(super) fn new() -> Self {
        Self { next: PAUSE.0 }
    }

    /// The next pause; the one after it is twice as long.
    pub(super) fn grown(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(PAUSE.1);
        now
    }

    pub(super) fn reset(&mut self) {
        self.next = PAUSE.0;
    }
}

/// Opens the doors that the settings name. What is wrong with the settings is known now.
pub(crate) fn open_doors(house: &Arc<House>, door: &Arc<Doorstep>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut tasks = Vec::new();
    tasks.extend(drop_folder::open(house, door)?);
    tasks.extend(kafka::open(house, door)?);
    tasks.extend(mqtt::open(house, door)?);
    tasks.extend(replication::open(house, door)?);
    tasks.extend(nats::open(house, door)?);
    Ok(tasks)
}

impl Doorstep {
    /// Takes what came through a door of the settings: under the same approval as a request, and through the same path.
    pub(super) async fn give(self: &Arc<Self>, pipeline: &str, group: &str, parcel: &Arc<Parcel>) -> Result<Value, PushRefusal> {
        let Some(contract) = self.house.pushed_to(pipeline) else {
            return Err(refused(
                PushRefusalKind::NoPipeline,
                format!("{pipeline} 的约定没有开放推送（push = true）"),
                format!("the contract of {pipeline} does not say push = true"),
            ));
        };
        if let Some((zh, en)) = self.lacking(contract).await.map_err(|it| super::door::failed(&it))?
            && contract.name() != approval::REGISTER
        {
            return Err(refused(PushRefusalKind::Approval, zh, en));
        }
        let admitted = || Admitted { pipeline: pipeline.to_owned(), device_group: group.to_owned() };
        let (before, last) = in_order(contract, parcel);
        let mut rows_in = 0;
        for it in before {
            let answer: Value = serde_json::from_str(&self.put(admitted(), it).await?).unwrap_or_default();
            rows_in += answer["rows_in"].as_u64().unwrap_or(0);
        }
        let mut answer: Value = serde_json::from_str(&self.put(admitted(), last).await?).unwrap_or_default();
        if 0 < rows_in {
            answer["rows_in"] = (rows_in + answer["rows_in"].as_u64().unwrap_or(0)).into();
        }
        Ok(answer)
    }

    /// Tries until a parcel of a source that is read by position is in the log; the source waits meanwhile.
    pub(super) async fn keep(self: &Arc<Self>, source: &str, pipeline: &str, parcel: &Arc<Parcel>) {
        let mut pause = Pause::new();
        let mut refused = None;
        loop {
            match self.give(pipeline, source, parcel).await {
                Ok(answer) => {
                    self.board.goes_on(source, refused);
                    return self.board.took(source, answer["rows_in"].as_u64().unwrap_or(0));
                }
                Err(refusal) => {
                    self.board.waits(source, &refusal);
                    refused = Some(refusal.kind);
                    tokio::time::sleep(pause.grown()).await;
                }
            }
        }
    }
}

/// Messages of a source of states in parcels in which no key comes twice: the rows of one are known at one instant, and of two
/// versions of a key the one that the source sent last is to hold. The position goes with the last.
fn in_order(pipeline: &Pipeline, parcel: &Arc<Parcel>) -> (Vec<Arc<Parcel>>, Arc<Parcel>) {
    let Cargo::Messages(messages) = &parcel.cargo else { return (Vec::new(), parcel.clone()) };
    if pipeline.is_event() || messages.len() < 2 {
        return (Vec::new(), parcel.clone());
    }
    let mut runs: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut seen: Option<BTreeSet<String>> = None;
    for message in messages {
        let key = key_of(pipeline, message);
        let goes_on = match (&mut seen, &key) {
            (Some(seen), Some(key)) => seen.insert(key.clone()),
            _ => false,
        };
        if goes_on {
            runs.last_mut().expect("a run was begun").push(message.clone());
        } else {
            runs.push(vec![message.clone()]);
            // A message that holds none or several is a parcel by itself.
            seen = key.map(|it| BTreeSet::from([it]));
        }
    }
    let last = runs.pop().unwrap_or_default();
    let named = parcel.reached.as_ref().map(|it| it.position.to_string()).or_else(|| parcel.key.clone());
    let piece = |(n, messages): (usize, Vec<Vec<u8>>)| {
        let cargo = Cargo::Messages(messages);
        let key = named.as_ref().map(|it| format!("{it}/run {n}/{}", cargo.hash()));
        Arc::new(Parcel { cargo, key, reached: None })
    };
    let before = runs.into_iter().enumerate().map(piece).collect();
    let last = Parcel { cargo: Cargo::Messages(last), key: parcel.key.clone(), reached: parcel.reached.clone() };
    (before, Arc::new(last))
}

/// What tells the row of a message from others; none if it is not one object with all columns of the key.
fn key_of(pipeline: &Pipeline, message: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, Value> = serde_json::from_slice(message).ok()?;
    let Key::Columns(columns) = &pipeline.contract.key else { return None };
    let head = |name: &String| {
        let column = pipeline.columns.iter().find(|it| it.0 == *name);
        column.and_then(|it| it.1.head.clone()).unwrap_or_else(|| name.clone())
    };
    let values: Option<Vec<&Value>> = columns.iter().map(|it| object.get(&head(it))).collect();
    serde_json::to_string(&values?).ok()
}

/// Refuses a name that would not do as a part of others.
pub(super) fn check_name(setting: &str, name: &str) -> anyhow::Result<()> {
    let is_fit = !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '-'));
    if is_fit {
        return Ok(());
    }
    anyhow::bail!(crate::exit::Caller(format!(
        "{setting}：name 只能用字母、数字、_ 和 - / {setting}: a name has letters, digits, _ and - only"
    )))
}

/// Refuses a setting that names a pipeline to which nothing may be pushed.
pub(super) fn check_pipeline(house: &House, setting: &str, pipeline: &str) -> anyhow::Result<()> {
    if house.pushed_to(pipeline).is_some() {
        return Ok(());
    }
    anyhow::bail!(crate::exit::Caller(format!(
        "{setting}：{pipeline} 没有约定，或其约定没有开放推送，请在 pipelines/{pipeline}.toml 写 push = true / {setting}: there is no \
         pipeline {pipeline}, or nothing may be pushed to it: write push = true in pipelines/{pipeline}.toml"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::parcel::Reached;
    use super::*;

    #[test]
    fn of_two_versions_of_a_key_the_second_is_a_parcel_behind_the_first() {
        let toml = include_str!("../../../../pipelines/ticket.toml");
        let state = Pipeline::parse(std::path::Path::new("ticket.toml"), toml).expect("a contract");
        let row = |key: &str, value: u64| format!(r#"{{"工单号":"{key}","状态":"{value}"}}"#).into_bytes();
        let messages = vec![row("A", 1), row("B", 1), row("A", 2), b"[]".to_vec(), row("A", 3)];
        let reached = Reached { source: "s".to_owned(), position: 9, born_us: 1, at_us: None };
        let parcel = Arc::new(Parcel { cargo: Cargo::Messages(messages), key: None, reached: Some(reached) });
        let (before, last) = in_order(&state, &parcel);
        let sizes = |it: &Parcel| match &it.cargo {
            Cargo::Messages(it) => it.len(),
            _ => 0,
        };
        assert_eq!(before.iter().map(|it| sizes(it.as_ref())).collect::<Vec<_>>(), [2, 1, 1]);
        assert!(before.iter().all(|it| it.reached.is_none() && it.key.is_some()));
        assert_eq!((sizes(&last), last.reached.as_ref().map(|it| it.position)), (1, Some(9)));
    }

    #[test]
    fn pauses_grow_to_a_minute_and_begin_anew() {
        let mut pause = Pause::new();
        let seconds: Vec<u64> = (0..8).map(|_| pause.grown().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        pause.reset();
        assert_eq!(pause.grown().as_secs(), 1);
    }
}

//! Doors without a request: they ask for approval as the HTTP door does, and try again for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serve::{Admitted, PushRefusal, PushRefusalKind};
use tokio::task::JoinHandle;

use super::door::{Doorstep, refused};
use super::parcel::Parcel;
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
        let admitted = Admitted { pipeline: pipeline.to_owned(), device_group: group.to_owned() };
        Ok(serde_json::from_str(&self.put(admitted, parcel.clone()).await?).unwrap_or_default())
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
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_begin_anew() {
        let mut pause = Pause::new();
        let seconds: Vec<u64> = (0..8).map(|_| pause.grown().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        pause.reset();
        assert_eq!(pause.grown().as_secs(), 1);
    }
}

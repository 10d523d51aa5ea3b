//! Reading again what a door's source still has of some days: after a contract was mended, or rows were lost behind the door.
//!
//! Messages go through the same doorstep as ever, dated now. The position of the door is not moved, and what is in the table
//! already is set aside by the contract's key, as any event that comes twice. A stretch that is read again twice under
//! one contract is skipped by its bytes, as long as answers are kept; once the contract was mended it is read anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::ProgressBar;
use serde_json::Value;
use serve::{PushRefusal, PushRefusalKind};

use super::door::Doorstep;
use super::inside::Pause;
use super::parcel::{Cargo, Parcel};
use super::{commit, config, kafka, nats};
use crate::exit::Caller;
use crate::house::House;
use crate::ingest::Report;
use crate::progress::Bars;

/// Tries of one parcel: whoever waits for a command wants to know.
const TRIES: usize = 5;

/// What is read again.
pub(super) struct Stretch {
    /// Instant of the first message, as the source dated it.
    pub(super) from_us: i64,
    /// Instant from which on none is read.
    pub(super) until_us: i64,
}

/// A door whose source still has what it gave.
#[derive(Clone, Copy)]
enum Again<'a> {
    Nats(&'a config::Nats),
    Kafka(&'a config::Kafka),
}

impl Again<'_> {
    /// Its name among the doors.
    fn name(self) -> String {
        match self {
            Again::Nats(it) => format!("nats/{}", it.name),
            Again::Kafka(it) => format!("kafka/{}", it.name),
        }
    }

    fn pipeline(&self) -> &str {
        match self {
            Again::Nats(it) => &it.pipeline,
            Again::Kafka(it) => &it.pipeline,
        }
    }
}

/// Reads again what a door, `nats/<name>` or `kafka/<name>`, got in a stretch of time.
pub(crate) async fn reread(
    house: &Arc<House>,
    input: PathBuf,
    named: &str,
    from_us: i64,
    until_us: i64,
) -> anyhow::Result<(Report, Vec<String>)> {
    let stream = &house.settings.stream;
    let doors: Vec<Again<'_>> = stream.nats.iter().map(Again::Nats).chain(stream.kafka.iter().map(Again::Kafka)).collect();
    let Some(again) = doors.iter().copied().find(|it| it.name() == named) else {
        let known: Vec<String> = doors.iter().map(|it| it.name()).collect();
        let known = if known.is_empty() { "–".to_owned() } else { known.join(", ") };
        anyhow::bail!(Caller(format!(
            "没有可重读的接入 \"{named}\"：可重读的是 {known}；文件请放回 input/ 后用 yizhan ingest，HTTP 与 MQTT 须由发送方重发 / \"{named}\" is \
             no door that can be read again: those are {known}. Files are put into input/ for `yizhan ingest`; what came over HTTP \
             or MQTT must be sent again"
        )));
    };
    let pipeline = again.pipeline();
    let contract = house.project.pipelines.iter().find(|it| it.name() == pipeline);
    if !contract.is_some_and(schema::Pipeline::is_event) {
        anyhow::bail!(Caller(format!(
            "{named}：{pipeline} 记录的是状态，重读会把过去的状态当作现在，未执行 / {named}: {pipeline} holds states, and reading them again \
             would take those of the past for today's: nothing was done"
        )));
    }
    let door = Arc::new(Doorstep::new(house.clone(), input)?);
    let mut counted = Counted::new(pipeline, named);
    let stretch = Stretch { from_us, until_us };
    match again {
        Again::Nats(config) => nats::read_again(house, &door, config, &stretch, &mut counted).await?,
        Again::Kafka(config) => kafka::read_again(house, &door, config, &stretch, &mut counted).await?,
    }
    counted.bar.finish_and_clear();
    commit(house).await?;
    Ok((counted.report, counted.notes))
}

/// What came of the messages so far.
pub(super) struct Counted {
    pub(super) report: Report,
    /// What could not be read, in both languages.
    pub(super) notes: Vec<String>,
    pub(super) bar: ProgressBar,
    began: std::time::Instant,
}

impl Counted {
    fn new(pipeline: &str, door: &str) -> Self {
        Self {
            report: Report { pipeline: pipeline.to_owned(), table: format!("raw_{pipeline}"), ..Report::default() },
            notes: Vec::new(),
            bar: Bars::new().steps(door, 0),
            began: std::time::Instant::now(),
        }
    }

    fn add(&mut self, answer: &Value) {
        let n = |key: &str| answer[key].as_u64().unwrap_or(0);
        self.report.rows_in += n("rows_in");
        self.report.rows_kept += n("rows_kept");
        self.report.rows_quarantined += n("rows_quarantined");
        self.report.rows_skipped += n("rows_skipped");
        let reasons: BTreeMap<String, u64> = serde_json::from_value(answer["reasons"].clone()).unwrap_or_default();
        for (reason, rows) in reasons {
            *self.report.reasons.entry(reason).or_default() += rows;
        }
        self.report.seconds = self.began.elapsed().as_secs_f64();
    }
}

/// Puts messages into the log; a log that is full is brought into the lake first.
pub(super) async fn give(
    house: &House,
    door: &Arc<Doorstep>,
    (pipeline, source): (&str, &str),
    messages: Vec<Vec<u8>>,
    counted: &mut Counted,
) -> anyhow::Result<()> {
    let parcel = Arc::new(Parcel { cargo: Cargo::Messages(messages), key: None, reached: None });
    let mut pause = Pause::new();
    let mut tries = 0;
    loop {
        let refusal = match door.give(pipeline, source, &parcel).await {
            Ok(answer) => {
                counted.add(&answer);
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        tries += 1;
        let PushRefusal { kind, zh, en } = refusal;
        match kind {
            PushRefusalKind::Full if tries < TRIES => {
                commit(house).await?;
            }
            PushRefusalKind::Failed if tries < TRIES => tokio::time::sleep(pause.grown()).await,
            _ => anyhow::bail!(Caller(format!("{source}：{zh} / {source}: {en}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Stage, contract, event, run};
    use super::*;

    /// Reads two messages again in a process of its own.
    async fn read(stage: &Stage) -> Report {
        let opened = stage.open().await;
        let mut counted = Counted::new("thing", "nats/gates");
        let messages = vec![event(1, "a", 0).into_bytes(), event(2, "b", 0).into_bytes()];
        let given = give(&opened.house, &opened.door, ("thing", "nats/gates/gates.north"), messages, &mut counted).await;
        given.expect("taken");
        commit(&opened.house).await.expect("committed");
        counted.report
    }

    #[test]
    fn what_is_read_again_counts_anew_once_the_contract_was_mended() {
        run(|| async {
            let whole = contract("thing", "first");
            let strict = whole.replace("state = { type = \"text\",", "state = { type = \"text\", one_of = [\"a\"],");
            assert_ne!(whole, strict);
            let stage = Stage::new(&[("thing", strict.as_str())]);
            let counts = |it: Report| [it.rows_in, it.rows_kept, it.rows_quarantined, it.rows_skipped];
            assert_eq!(counts(read(&stage).await), [2, 1, 1, 0]);
            assert_eq!(counts(read(&stage).await), [2, 0, 0, 2], "nothing is new");
            stage.agree("thing", whole.as_str());
            assert_eq!(counts(read(&stage).await), [2, 2, 0, 0]);
            assert_eq!(counts(read(&stage).await), [2, 0, 0, 2], "and now nothing is new again");
            let opened = stage.open().await;
            let told = opened.read("SELECT id, count(*) AS n FROM stg_thing GROUP BY id ORDER BY id").await;
            assert!(["| 1  | 1 |", "| 2  | 1 |"].iter().all(|it| told.contains(it)), "once each in staging: {told}");
        });
    }
}

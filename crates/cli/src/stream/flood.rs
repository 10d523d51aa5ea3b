//! Bad rows of a broker: some are rows that are wrong, most of many are a sender that is.
//!
//! A request of them is refused as a whole and its sender is told. A broker takes nothing back, so its door closes instead:
//! what was taken waits in quarantine, what comes behind it at the broker, and the position stays between the two. After a
//! while the door looks again, for a sender may be mended, and takes a few before it closes once more. Whoever mends the
//! contract starts the server anew, which begins without any of this.

use std::time::{Duration, Instant};

use serve::{PushRefusal, PushRefusalKind};

/// How long rows are counted together, and how long a door stays closed.
const WINDOW: Duration = Duration::from_secs(600);
/// Of the bad rows that may come in a window, the part that may come after a door was closed.
const AGAIN: u64 = 10;

/// What came through one door lately.
#[derive(Debug)]
pub(super) struct Flood {
    began: Instant,
    rows: u64,
    bad: u64,
    closed: Option<(Instant, PushRefusal)>,
    /// It was closed, and nothing has shown since that the sender is mended.
    is_doubtful: bool,
}

impl Flood {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, rows: 0, bad: 0, closed: None, is_doubtful: false }
    }

    /// Why nothing is taken now, if so.
    pub(super) fn refusal(&self, now: Instant) -> Option<PushRefusal> {
        self.closed.as_ref().filter(|it| now < it.0).map(|it| it.1.clone())
    }

    /// Counts rows that were taken, and how many of them are bad and why; `limit` may be in a window.
    pub(super) fn count(&mut self, (rows, bad): (u64, u64), reasons: &str, limit: u64, now: Instant) {
        if self.closed.is_some() || WINDOW <= now.duration_since(self.began) {
            (self.began, self.rows, self.bad, self.closed) = (now, 0, 0, None);
        }
        self.rows += rows;
        self.bad += bad;
        let are_most = self.rows < 2 * self.bad;
        let limit = if self.is_doubtful { limit / AGAIN } else { limit };
        if are_most && limit < self.bad {
            let words = words(self.rows, self.bad, reasons);
            tracing::warn!(rows = self.rows, bad = self.bad, "most of what came does not fit the contract");
            self.closed = Some((now + WINDOW, words));
            self.is_doubtful = true;
        } else if !are_most && 0 < rows {
            self.is_doubtful = false;
        }
    }
}

fn words(rows: u64, bad: u64, reasons: &str) -> PushRefusal {
    let minutes = WINDOW.as_secs() / 60;
    PushRefusal::new(
        PushRefusalKind::Bad,
        format!(
            "最近的 {rows} 行中有 {bad} 行不符合约定（最后一批：{reasons}），暂停接收 {minutes} 分钟后再看：后面的消息留在代理上，不会丢失。请核对发送方的格式；\
             若是约定须修正，修正后重启服务，再用 yizhan quarantine replay 收回已隔离的行"
        ),
        format!(
            "{bad} of the last {rows} rows do not fit the contract (the last ones: {reasons}): nothing more is taken for {minutes} \
             minutes, then the door looks again. What follows waits at the broker and is not lost. Look at what the sender writes; if \
             it is the contract that is wrong, mend it and restart the server, then `yizhan quarantine replay` takes the rows that wait"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::super::parcel::{Cargo, Parcel, Reached};
    use super::super::tests::{Stage, contract, event, run};
    use super::super::{Doorstep, commit};
    use super::*;

    #[test]
    fn a_door_closes_when_most_of_many_rows_are_bad_and_looks_again() {
        let begin = Instant::now();
        let at = |minutes: u64| begin + Duration::from_secs(60 * minutes);
        let mut flood = Flood::new(begin);
        // Many bad ones among more good ones are rows that are wrong.
        flood.count((5_000, 1_200), "required 1200", 1_000, at(0));
        assert_eq!(flood.refusal(at(0)), None);
        // A window later few of few.
        flood.count((500, 500), "json 500", 1_000, at(11));
        flood.count((500, 500), "json 500", 1_000, at(12));
        assert_eq!(flood.refusal(at(12)), None);
        flood.count((500, 500), "json 500", 1_000, at(13));
        let refusal = flood.refusal(at(13)).expect("closed");
        assert_eq!(refusal.kind, PushRefusalKind::Bad);
        assert!(refusal.en.contains("1500 of the last 1500 rows") && refusal.en.contains("json 500"), "{}", refusal.en);
        assert!(flood.refusal(at(22)).is_some());
        // It looks again, and is still doubtful: so many more are enough.
        assert_eq!(flood.refusal(at(23)), None);
        flood.count((100, 100), "json 100", 1_000, at(23));
        assert_eq!(flood.refusal(at(23)), None);
        flood.count((1, 1), "json 1", 1_000, at(23));
        assert!(flood.refusal(at(24)).is_some());
        // The sender is mended: as many as ever may be wrong.
        flood.count((500, 2), "json 2", 1_000, at(34));
        flood.count((900, 900), "json 900", 1_000, at(35));
        assert_eq!(flood.refusal(at(35)), None);
    }

    async fn bring(door: &Arc<Doorstep>, shard: &str, position: i64, lines: &[String]) -> Result<Value, PushRefusal> {
        let messages = lines.iter().map(|it| it.clone().into_bytes()).collect();
        let reached = Some(Reached { source: shard.to_owned(), position, born_us: 7, at_us: None });
        door.give("thing", shard, &Arc::new(Parcel { cargo: Cargo::Messages(messages), key: None, reached })).await
    }

    #[test]
    fn a_flood_of_bad_messages_fills_no_quarantine_and_shuts_no_other_door() {
        run(|| async {
            let stage = Stage::new(&[("thing", contract("thing", "latest").as_str())]);
            let opened = stage.open().await;
            let door = &opened.door;
            let bad = |n: usize| vec!["no JSON".to_owned(); n];
            // The settings of the case let two be bad.
            let taken = bring(door, "nats/a/s", 3, &bad(3)).await.expect("taken");
            assert_eq!(taken["rows_quarantined"].as_u64(), Some(3));
            for _ in 0..3 {
                let refusal = bring(door, "nats/a/s", 6, &bad(3)).await.expect_err("closed");
                assert!(refusal.kind == PushRefusalKind::Bad && refusal.en.contains("waits at the broker"), "{}", refusal.en);
            }
            // Another door is open, and so are that of a database, whose log nobody is to hold back, and that of
            // a broker that drops what it has no room for.
            bring(door, "nats/b/s", 1, &[event(1, "a", 0)]).await.expect("taken");
            for position in 1..4 {
                bring(door, "postgres/office/thing", position, &bad(3)).await.expect("taken");
                bring(door, "mqtt gates", position, &bad(3)).await.expect("taken");
            }
            commit(&opened.house).await.expect("committed");
            let house = &opened.house;
            let count = |table: &'static str| async move {
                house.lake.snapshot(table).await.expect("a readable log").map_or(0, |it| it.rows())
            };
            assert_eq!((count("ops_quarantine").await, count("raw_thing").await), (3 + 9 + 9, 1));
            // Whoever starts it anew has mended something.
            let anew = Arc::new(Doorstep::new(opened.house.clone(), stage.path("input")).expect("a door"));
            let taken = bring(&anew, "nats/a/s", 6, &[event(2, "a", 0)]).await.expect("taken");
            assert_eq!(taken["rows_kept"].as_u64(), Some(1));
        });
    }
}

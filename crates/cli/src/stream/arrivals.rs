//! That rows came: for the tick, which then builds, and for the page of pipelines, which then forgets what it knew.

use std::collections::BTreeSet;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Pipelines of which rows came that survive, and when open pages were last told of sources.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    came: Mutex<BTreeSet<String>>,
    news: Notify,
    told: Mutex<Option<Instant>>,
}

impl Arrivals {
    /// Rows of a pipeline came.
    pub(crate) fn note(&self, pipeline: &str) {
        {
            let mut came = self.came.lock();
            if !came.contains(pipeline) {
                came.insert(pipeline.to_owned());
            }
        }
        self.news.notify_one();
    }

    /// Waits until rows came of one of these pipelines since it was last waited for; others are forgotten. For one who waits.
    pub(crate) async fn of(&self, pipelines: &BTreeSet<String>) {
        loop {
            let came = std::mem::take(&mut *self.came.lock());
            if !came.is_disjoint(pipelines) {
                return;
            }
            self.news.notified().await;
        }
    }

    /// Open pages are told now that sources changed: what was looked up before is too old for them.
    pub(crate) fn tell(&self) {
        *self.told.lock() = Some(Instant::now());
    }

    /// Whether something that was looked up from an instant on is as new as what pages were told of.
    pub(crate) fn is_fresh(&self, looked_at: Instant) -> bool {
        self.told.lock().is_none_or(|it| it < looked_at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn named(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    /// Whether a wait ends without anything that comes later.
    async fn ends(arrivals: &Arrivals, names: &[&str]) -> bool {
        let names = named(names);
        tokio::select! {
            biased;
            () = arrivals.of(&names) => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_once_by_rows_of_its_own_sources_only() {
        let arrivals = Arrivals::default();
        assert!(!ends(&arrivals, &["gate"]).await, "nothing came");
        arrivals.note("card");
        assert!(!ends(&arrivals, &["gate"]).await, "what came is nothing to it");
        // Before the wait began, and twice: once is enough.
        arrivals.note("gate");
        arrivals.note("gate");
        assert!(ends(&arrivals, &["gate", "sign"]).await);
        assert!(!ends(&arrivals, &["gate", "sign"]).await, "it was told already");
        // While it goes on, behind one of another source.
        let came = async {
            arrivals.note("card");
            tokio::task::yield_now().await;
            arrivals.note("sign");
        };
        let names = named(&["gate", "sign"]);
        tokio::join!(arrivals.of(&names), came);
    }

    #[test]
    fn what_was_looked_up_before_a_word_is_old() {
        let arrivals = Arrivals::default();
        let before = Instant::now();
        assert!(arrivals.is_fresh(before), "nobody was told anything");
        arrivals.tell();
        assert!(!arrivals.is_fresh(before));
        let after = Instant::now() + Duration::from_nanos(1);
        assert!(arrivals.is_fresh(after));
    }
}

//! Places at which a test may end the process, as a power cut or `kill -9` would.
//!
//! `YIZHAN_FAILPOINT=log.sync.before` ends a debug build when it comes by there; `log.sync.before:7` the seventh time. A
//! release build has none.

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    fn wanted() -> Option<&'static (String, u64)> {
        let read = || {
            let text = std::env::var("YIZHAN_FAILPOINT").ok().filter(|it| !it.is_empty())?;
            Some(match text.split_once(':') {
                Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
                None => (text, 1),
            })
        };
        WANTED.get_or_init(read).as_ref()
    }

    pub(super) fn pass(name: &str) {
        if let Some((wanted, nth)) = wanted()
            && wanted == name
            && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
        {
            // No destructor runs and no buffer is flushed.
            std::process::abort();
        }
    }
}

/// All places, for whoever tries each.
pub const ALL: &[&str] = &[
    "log.append.before",
    "log.append.after",
    "log.sync.before",
    "log.sync.after",
    "log.close.before",
    "log.close.after",
    "log.open.before",
    "log.open.after",
    "log.truncate.before",
    "log.truncate.middle",
    "log.truncate.after",
    "commit.rejects.before",
    "commit.rejects.after",
    "commit.rows.before",
    "commit.rows.after",
    "commit.keys.before",
    "commit.keys.after",
    "answer.before",
    "drop.claimed",
    "drop.kept",
    "drop.done",
    "drop.refused",
    "replication.slot",
    "replication.copied",
    "replication.kept",
    "replication.advanced",
    "mqtt.kept",
    "mqtt.acked",
    "nats.kept",
];

/// Passes a place; a debug build that was told to ends here.
#[inline]
pub fn pass(name: &str) {
    debug_assert!(ALL.contains(&name), "no such place: {name}");
    #[cfg(debug_assertions)]
    armed::pass(name);
}

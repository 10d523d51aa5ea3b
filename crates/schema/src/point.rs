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

/// All places, for whoever tries each. The first word is the log, the commit, the merging of small files, the
/// answer to a sender, or a door by its name. A file and an entry of a commit are those of any table.
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
    "log.release.before",
    "log.release.middle",
    "log.release.after",
    "commit.rejects.before",
    "commit.rejects.after",
    "commit.rows.before",
    "commit.file.before",
    "commit.file.after",
    "commit.staged",
    "commit.entry.before",
    "commit.entry.linked",
    "commit.entry.after",
    "commit.rows.after",
    "commit.keys.before",
    "commit.keys.after",
    "compact.swap.before",
    "compact.swap.after",
    "answer.before",
    "drop.found",
    "drop.claimed",
    "drop.kept",
    "drop.done",
    "drop.refused",
    "kafka.kept",
    "replication.slot",
    "replication.copied",
    "replication.kept",
    "replication.advanced",
    "mqtt.kept",
    "mqtt.acked",
    "nats.read",
    "nats.kept",
];

/// Passes a place; a debug build that was told to ends here.
#[inline]
pub fn pass(name: &str) {
    debug_assert!(ALL.contains(&name), "no such place: {name}");
    #[cfg(debug_assertions)]
    armed::pass(name);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::ALL;

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("schema/src/point.rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_place_of_the_list_is_passed_somewhere_and_no_other() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the crates");
        let mut files = Vec::new();
        sources(crates, &mut files);
        let mut passed = BTreeSet::new();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a source");
            let names = text.split("pass(\"").skip(1).filter_map(|it| it.split_once("\")"));
            passed.extend(names.map(|it| it.0.to_owned()).filter(|it| it.contains('.')));
        }
        let listed: BTreeSet<String> = ALL.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(listed.len(), ALL.len(), "a name stands there twice");
        assert_eq!(passed, listed);
    }
}

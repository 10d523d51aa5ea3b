//! Files that the wizard keeps for a while: bounded in number, bytes and time, seen by their sender only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use ingest::Choices;

/// How long a file is kept.
const KEPT: Duration = Duration::from_secs(3_600);
/// Files of one account; an older one makes room.
const OF_ACCOUNT_MAX: usize = 4;
/// Files of all accounts.
const ALL_MAX: usize = 32;

/// The kept files.
pub(crate) struct Uploads {
    root: PathBuf,
    bytes_max: u64,
    kept: Mutex<HashMap<String, Kept>>,
}

/// One kept file.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    pub(crate) file_name: String,
    pub(crate) bytes: u64,
    /// What it was last tried with.
    pub(crate) choices: Option<Choices>,
    account: String,
    at: Instant,
}

impl Uploads {
    /// No files: what a server before this one left behind is removed.
    pub(crate) fn new(data: &Path, file_bytes_max: u64) -> anyhow::Result<Self> {
        let root = data.join("import");
        if root.exists() {
            std::fs::remove_dir_all(&root).with_context(|| format!("could not clear {}", root.display()))?;
        }
        Ok(Self { root, bytes_max: file_bytes_max.saturating_mul(4), kept: Mutex::default() })
    }

    /// Keeps a file; `None` if there is no room.
    pub(crate) fn keep(self: &Arc<Self>, account: &str, file_name: &str, bytes: &[u8]) -> anyhow::Result<Option<(String, Kept)>> {
        self.expire();
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("the system gave no random bytes: {error}"))?;
        let id: String = random.iter().map(|it| format!("{it:02x}")).collect();
        let folder = self.root.join(&id);
        let kept = {
            let mut all = self.all();
            let mut own: Vec<(Instant, String)> =
                all.iter().filter(|(_, it)| it.account == account).map(|(id, it)| (it.at, id.clone())).collect();
            own.sort();
            for (_, id) in own.iter().take((own.len() + 1).saturating_sub(OF_ACCOUNT_MAX)) {
                all.remove(id);
                self.remove_folder(id);
            }
            let held: u64 = all.values().map(|it| it.bytes).sum();
            if ALL_MAX <= all.len() || self.bytes_max < held + bytes.len() as u64 {
                return Ok(None);
            }
            let file_name = safe_name(file_name);
            let kept = Kept {
                path: folder.join(&file_name),
                file_name,
                bytes: bytes.len() as u64,
                choices: None,
                account: account.to_owned(),
                at: Instant::now(),
            };
            all.insert(id.clone(), kept.clone());
            kept
        };
        if let Err(error) = write(&folder, &kept.path, bytes) {
            self.forget(&id);
            return Err(error);
        }
        let (uploads, late) = (Arc::downgrade(self), id.clone());
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            if let Some(uploads) = uploads.upgrade() {
                uploads.forget(&late);
            }
        });
        Ok(Some((id, kept)))
    }

    /// A kept file of an account.
    pub(crate) fn find(&self, account: &str, id: &str) -> Option<Kept> {
        self.expire();
        self.all().get(id).filter(|it| it.account == account).cloned()
    }

    /// Notes what a file was tried with.
    pub(crate) fn tried(&self, id: &str, choices: &Choices) {
        if let Some(it) = self.all().get_mut(id) {
            it.choices = Some(choices.clone());
        }
    }

    /// Puts other bytes in the place of a kept file's, under a name that says how they are packed.
    pub(crate) fn replace(&self, id: &str, file_name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let folder = self.root.join(id);
        let path = folder.join(safe_name(file_name));
        let old = self.all().get(id).map(|it| it.path.clone());
        write(&folder, &path, bytes)?;
        if let Some(old) = old.filter(|it| *it != path) {
            let _ = std::fs::remove_file(old);
        }
        if let Some(it) = self.all().get_mut(id) {
            it.bytes = bytes.len() as u64;
            it.file_name = safe_name(file_name);
            it.path = path;
        }
        Ok(())
    }

    /// Removes a file.
    pub(crate) fn forget(&self, id: &str) {
        self.all().remove(id);
        self.remove_folder(id);
    }

    fn expire(&self) {
        let late: Vec<String> = self.all().iter().filter(|(_, it)| KEPT <= it.at.elapsed()).map(|(id, _)| id.clone()).collect();
        late.iter().for_each(|it| self.forget(it));
    }

    fn remove_folder(&self, id: &str) {
        if let Err(error) = std::fs::remove_dir_all(self.root.join(id))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a kept upload could not be removed");
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    // Names and numbers of persons, not yet sealed: nobody else of the machine reads them.
    crate::disk::private_folder(folder)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("could not write {}", path.display()))?;
    std::io::Write::write_all(&mut file, bytes).with_context(|| format!("could not write {}", path.display()))
}

/// The last part of a name, without what a file system or a header would take for something else.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().map(|it| if it.is_control() || "<>:\"|?*".contains(it) { '_' } else { it }).collect();
    let kept = kept.trim().trim_start_matches('.');
    let n = kept.chars().count();
    // The end of a long name says what the file is.
    let short: String = kept.chars().skip(n.saturating_sub(80)).collect();
    if short.is_empty() { "table".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        assert_eq!(safe_name("../../etc/passwd"), "passwd");
        assert_eq!(safe_name("C:\\x\\名册.xlsx"), "名册.xlsx");
        assert_eq!(safe_name("..."), "table");
        assert_eq!(safe_name("a\nb?.csv"), "a_b_.csv");
        assert!(safe_name(&format!("{}.csv.gz", "长".repeat(200))).ends_with(".csv.gz"));
    }

    #[tokio::test]
    async fn uploads_are_bounded_and_answer_to_their_sender_only() {
        let data = tempfile::tempdir().expect("a folder");
        let uploads = Arc::new(Uploads::new(data.path(), 10).expect("a folder"));
        let (first, kept) = uploads.keep("one", "x.csv", b"12345").expect("written").expect("room");
        assert!(kept.path.exists() && uploads.find("one", &first).is_some() && uploads.find("other", &first).is_none());
        assert!(uploads.keep("other", "x.csv", &[0; 40]).expect("asked").is_none(), "more bytes than all may have");
        for _ in 0..OF_ACCOUNT_MAX {
            uploads.keep("one", "x.csv", b"1").expect("written").expect("room");
        }
        assert!(uploads.find("one", &first).is_none() && !kept.path.exists(), "the oldest makes room");
        let again = Arc::new(Uploads::new(data.path(), 10).expect("a folder"));
        assert!(again.find("one", &first).is_none() && !data.path().join("import").exists());
    }
}

//! Work handed over to a living `yizhan serve`, which is the lake's one writer.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serve::{Done, Order};

use crate::commands::Common;
use crate::exit::Caller;

/// Where a living server is and the word that lets this machine's owner in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) pid: u32,
}

/// Removes the note when the server stops.
pub(crate) struct Noted {
    path: PathBuf,
}

impl Drop for Noted {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("serve.json")
}

/// A random token.
pub(crate) fn token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gave no random bytes: {error}"))?;
    Ok(bytes.iter().map(|it| format!("{it:02x}")).collect())
}

/// Notes where the server is, readable by the owner only.
pub(crate) fn note(data: &Path, address: &Address) -> anyhow::Result<Noted> {
    let path = path(data);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).with_context(|| format!("could not write {}", path.display()))?;
    file.write_all(serde_json::to_string(address)?.as_bytes())?;
    Ok(Noted { path })
}

/// Where a server noted that it is; it may have died since.
pub(crate) fn noted(data: &Path) -> Option<Address> {
    serde_json::from_str(&std::fs::read_to_string(path(data)).ok()?).ok()
}

/// Hands work over if the lake is locked by a server that answers; the error stands if there is none.
pub(crate) fn hand_over(common: &Common, error: anyhow::Error, order: &Order) -> anyhow::Result<Done> {
    let is_locked = error.chain().any(|it| matches!(it.downcast_ref::<lake::Error>(), Some(lake::Error::Locked { .. })));
    let Some(address) = std::fs::read_to_string(path(&common.place().data)).ok().filter(|_| is_locked) else { return Err(error) };
    if common.has_now() {
        anyhow::bail!(Caller("正在运行的服务用自己的时钟，不能与 --now 同用 / the running server has its own clock: stop it first, or leave --now out".to_owned()));
    }
    let address: Address = serde_json::from_str(&address).context("serve.json is broken")?;
    eprintln!("交由正在运行的服务执行 / handed over to the server {} (pid {})", address.url, address.pid);
    let mut response = ureq::post(format!("{}/api/v1/runs", address.url))
        .config()
        .http_status_as_error(false)
        .build()
        .header("authorization", format!("Bearer {}", address.token))
        .header("content-type", "application/json")
        .send(serde_json::to_string(order)?)
        .context("the server does not answer")?;
    let status = response.status();
    let text = response.body_mut().read_to_string().context("the server stopped answering")?;
    if status != 200 {
        anyhow::bail!("the server refused ({status}): {text}");
    }
    serde_json::from_str(&text).context("the server's answer is unreadable: is it of the same version?")
}

/// A folder as the server finds it, whose own working folder may be another.
pub(crate) fn absolute(folder: Option<&PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    folder.map(|it| std::path::absolute(it).with_context(|| format!("no such folder: {}", it.display()))).transpose()
}

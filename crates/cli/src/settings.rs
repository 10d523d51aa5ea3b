//! Settings: defaults, `yizhan.toml`, the environment, flags, each over the one before.
//!
//! Read once, refused whole if a key is unknown, and handed to each part as its own struct. Nothing is global.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{Datelike, NaiveDate, NaiveTime};
use ingest::PersonConfig;
use schema::{Campus, PersonKind, Subject, nearest};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

const DEFAULT: &str = include_str!("../default.toml");
const ENV_PREFIX: &str = "YIZHAN__";

/// All settings of a project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) packs: Vec<String>,
    pub(crate) campus: Campus,
    pub(crate) clock: Clock,
    pub(crate) person: BTreeMap<PersonKind, PersonConfig>,
    pub(crate) subject: Subject,
    pub(crate) ingest: Ingest,
    pub(crate) stream: Stream,
    pub(crate) rollover: Rollover,
    pub(crate) store: Store,
    pub(crate) lake: Lake,
    pub(crate) engine: Engine,
    pub(crate) transform: Transform,
    pub(crate) warning: warning::Config,
    pub(crate) casework: Casework,
    pub(crate) notify: notify::Config,
    pub(crate) trace: Trace,
    pub(crate) policy: Policy,
    pub(crate) serve: Serve,
    pub(crate) live: Live,
}

/// What the school decides about casework.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Casework {
    /// What severities are called.
    pub(crate) labels: [casework::Label; 5],
    /// Accounts that may enter that a student has died.
    pub(crate) death_by: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clock {
    pub(crate) now: Now,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Now {
    Wall,
    Data,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ingest {
    pub(crate) threads: usize,
    pub(crate) commit_rows: u64,
    pub(crate) file_bytes_max: Bytes,
    pub(crate) field_bytes_max: Bytes,
    pub(crate) rows_max: u64,
    pub(crate) approvals: Approvals,
}

/// How pushed events are taken and how often they are committed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stream {
    pub(crate) commit_seconds: u64,
    pub(crate) tick_seconds: u64,
    pub(crate) commit_bytes: Bytes,
    pub(crate) bytes_max: Bytes,
    pub(crate) segment_bytes: Bytes,
    pub(crate) body_bytes_max: Bytes,
    pub(crate) rows_max: u64,
    pub(crate) rejects_max: u64,
    pub(crate) requests_max: usize,
    pub(crate) answers_kept_days: u32,
    pub(crate) drop: crate::stream::config::DropFolder,
    pub(crate) kafka: Vec<crate::stream::config::Kafka>,
    pub(crate) mqtt: Vec<crate::stream::config::Mqtt>,
    pub(crate) nats: Vec<crate::stream::config::Nats>,
    pub(crate) postgres: Vec<crate::stream::config::Postgres>,
}

/// Whether a source needs an approval of its use to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Approvals {
    Required,
    Off,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollover {
    /// Years from entry to graduation, by stage of study.
    pub(crate) years_undergraduate: u8,
    pub(crate) years_graduate: u8,
    #[serde(deserialize_with = "month_and_day")]
    pub(crate) begins_on: MonthDay,
}

/// A day of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MonthDay(u32, u32);

impl MonthDay {
    /// The day of a year; the 29th of February is the 28th where there is none.
    pub(crate) fn of(self, year: i32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, self.0, self.1).or(NaiveDate::from_ymd_opt(year, self.0, 28))
    }
}

fn month_and_day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<MonthDay, D::Error> {
    let text = String::deserialize(deserializer)?;
    // A leap year, so that every day there is can be said.
    NaiveDate::parse_from_str(&format!("2024-{text}"), "%Y-%m-%d")
        .map(|it| MonthDay(it.month(), it.day()))
        .map_err(|_| serde::de::Error::custom(format!("\"{text}\" is no month and day: write \"09-01\"")))
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) mint: Mint,
    /// Environment variable with the address of a PostgreSQL database; empty for the file beside the data.
    pub(crate) url_env: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Mint {
    Seed(u64),
    Word(MintWord),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MintWord {
    Random,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lake {
    pub(crate) durability: Durability,
    pub(crate) upkeep_minutes: u64,
    pub(crate) keep_log_days: u16,
    pub(crate) keep_live_log_days: u16,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    Fsync,
    Os,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    pub(crate) memory: Bytes,
    pub(crate) partitions: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transform {
    pub(crate) chunk_rows: i64,
    pub(crate) as_of_days: i32,
}

/// Where spans go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trace {
    /// Address of a collector; empty for none.
    pub(crate) endpoint: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) rows_max: usize,
    pub(crate) timeout_seconds: u64,
    /// Figures about fewer people than this are not told; those of care have a number of their own.
    pub(crate) k_default: i64,
    pub(crate) k_sensitive: i64,
}

impl Policy {
    /// What every SQL file may use without saying it itself.
    pub(crate) fn shared(&self) -> BTreeMap<String, Value> {
        let named = [("k_default", self.k_default), ("k_sensitive", self.k_sensitive)];
        named.into_iter().map(|(name, value)| (name.to_owned(), Value::Integer(value))).collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Serve {
    pub(crate) listen: String,
    #[serde(deserialize_with = "local_time")]
    pub(crate) run_at: NaiveTime,
    pub(crate) is_demo: bool,
    pub(crate) import_bytes_max: Bytes,
    /// Environment variable with the token of a monitor; empty shows `/metrics` to nobody.
    pub(crate) metrics_token_env: String,
}

/// What bounds live updates of open pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Live {
    pub(crate) events_kept: usize,
    pub(crate) streams_max: usize,
    pub(crate) session_streams_max: usize,
}

/// A size as people write it: `"256 MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
        units
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(*factor))
            .map(Bytes)
            .ok_or_else(|| serde::de::Error::custom(format!("\"{text}\" is no size: write \"256 MiB\"")))
    }
}

fn local_time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<NaiveTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    NaiveTime::parse_from_str(&text, "%H:%M")
        .map_err(|_| serde::de::Error::custom(format!("\"{text}\" is no time: write \"05:10\"")))
}

/// One setting with the layer that it came from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Origin {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) origin: String,
}

impl Settings {
    /// Whether a line for emergencies is still the default's, which names no number of the school.
    pub(crate) fn has_no_emergency_line(&self) -> anyhow::Result<bool> {
        let defaults = DEFAULT.parse::<Table>().context("default.toml is broken")?;
        let is_default = |name: &str, said: &str| defaults["campus"][name].as_str() == Some(said);
        let campus = &self.campus;
        Ok(is_default("emergency_zh", &campus.emergency_zh) || is_default("emergency_en", &campus.emergency_en))
    }

    /// Reads all layers of a project.
    pub(crate) fn read(project: &Path, flags: &[(String, String)]) -> anyhow::Result<(Self, Vec<Origin>)> {
        let mut merged = DEFAULT.parse::<Table>().context("default.toml is broken")?;
        let known = merged.clone();
        let mut origins = BTreeMap::new();
        note(&merged, "", "default", &mut origins);
        let path = project.join("yizhan.toml");
        if path.exists() {
            let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
            let own: Table = schema::parse_toml(&path, &text)?;
            refuse_unknown(&own, &known, "", &path.display().to_string())?;
            note(&own, "", "yizhan.toml", &mut origins);
            merge(&mut merged, own);
        }
        let mut variables: Vec<(String, String)> = std::env::vars()
            .filter_map(|(name, value)| {
                let key = name.strip_prefix(ENV_PREFIX)?.to_lowercase().replace("__", ".");
                Some((key, value))
            })
            .collect();
        variables.sort();
        for (layer, pairs) in [("environment", variables.as_slice()), ("flag", flags)] {
            for (key, value) in pairs {
                let own = nested(key, value);
                refuse_unknown(&own, &known, "", layer)?;
                note(&own, "", layer, &mut origins);
                merge(&mut merged, own);
            }
        }
        let settings: Settings = Value::Table(merged.clone()).try_into().map_err(|error: toml::de::Error| {
            anyhow::Error::new(schema::Error::Toml { path, message: error.message().to_owned() })
        })?;
        let origins = origins.into_iter().map(|(key, (value, origin))| Origin { key, value, origin }).collect();
        Ok((settings, origins))
    }

    /// Cores to use where a setting says 0.
    pub(crate) fn cores(setting: usize) -> usize {
        match setting {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }
}

/// `a.b = value` as nested tables; what is no TOML value is a text.
fn nested(key: &str, value: &str) -> Table {
    let parsed = format!("it = {value}").parse::<Table>().ok().and_then(|mut it| it.remove("it"));
    let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default().to_owned();
    let mut table = Table::from_iter([(last, value)]);
    for part in parts.into_iter().rev() {
        table = Table::from_iter([(part.to_owned(), Value::Table(table))]);
    }
    table
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn refuse_unknown(own: &Table, known: &Table, prefix: &str, layer: &str) -> anyhow::Result<()> {
    for (key, value) in own {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (known.get(key), value) {
            (None, _) => {
                let hint = nearest(key, known.keys().map(String::as_str));
                let hint = hint.map(|it| format!("; did you mean \"{it}\"?")).unwrap_or_default();
                bail!(Unknown { layer: layer.to_owned(), name, hint });
            }
            (Some(Value::Table(known)), Value::Table(own)) => refuse_unknown(own, known, &name, layer)?,
            (Some(_), _) => {}
        }
    }
    Ok(())
}

/// A setting that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("{layer}: there is no setting \"{name}\"{hint}")]
pub(crate) struct Unknown {
    layer: String,
    name: String,
    hint: String,
}

fn note(table: &Table, prefix: &str, layer: &str, origins: &mut BTreeMap<String, (String, String)>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => note(inner, &name, layer, origins),
            other => {
                origins.insert(name, (other.to_string(), layer.to_owned()));
            }
        }
    }
}

/// A project's folder and its data.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Folder with `yizhan.toml`.
    pub(crate) project: PathBuf,
    /// Folder with the lake and the store.
    pub(crate) data: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_read() {
        let (settings, origins) = Settings::read(Path::new("/nowhere"), &[]).expect("defaults");
        assert_eq!(settings.lake.durability as u8, Durability::Fsync as u8);
        assert!(origins.iter().all(|it| it.origin == "default"));
    }

    #[test]
    fn a_word_needs_no_quotes_on_the_command_line() {
        let (settings, _) =
            Settings::read(Path::new("/nowhere"), &[("ingest.approvals".into(), "off".into())]).expect("settings");
        assert_eq!(settings.ingest.approvals, Approvals::Off);
    }

    #[test]
    fn a_misspelt_setting_is_refused_with_the_one_that_was_meant() {
        let error = Settings::read(Path::new("/nowhere"), &[("lake.durabilty".into(), "\"os\"".into())]).expect_err("refused");
        assert_eq!(error.to_string(), "flag: there is no setting \"lake.durabilty\"; did you mean \"durability\"?");
    }
}

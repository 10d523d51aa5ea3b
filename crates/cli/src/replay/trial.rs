//! Refused rows at the door: once to see which pass, and once more for those that enter.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ::ingest::{Door, FileInput, KnownAt, Limits, Persons, Taken};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use schema::time::CampusClock;
use schema::{Holder, Identifier, Known, PersonKind, Pipeline, Pseudonyms, VaultError};

use crate::house::House;

/// Whether names and telephones of the rows go to the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Kept,
    /// A row that passes may be superseded by a later one of its key, whose names hold.
    Dropped,
}

/// What a door is made of, on its way to another thread.
#[derive(Clone)]
pub(super) struct Trial {
    pipeline: Pipeline,
    persons: Persons,
    pub(super) vault: Arc<store::Vault>,
    limits: Limits,
    clock: CampusClock,
    /// The instant from which rows that pass are known.
    known_us: i64,
    /// What is late or of the future is told by the machine's clock where rows are dated ahead of it.
    now_us: i64,
}

impl Trial {
    pub(super) fn new(house: &House, pipeline: &Pipeline, known_us: i64) -> anyhow::Result<Self> {
        Ok(Self {
            pipeline: pipeline.clone(),
            persons: Persons::new(&house.settings.person)?,
            vault: house.vault(),
            limits: crate::ingest::limits(house),
            clock: house.clock(),
            known_us,
            now_us: known_us.min(house.now_us()),
        })
    }

    /// Tries rows; those that pass are known from now on, never from an assumed instant.
    pub(super) async fn run(&self, opened: &[Vec<u8>], names: Names) -> anyhow::Result<Taken> {
        let (trial, opened) = (self.clone(), opened.to_vec());
        // The vault blocks the thread that asks it.
        tokio::task::spawn_blocking(move || {
            let silent = Silent(trial.vault.clone());
            let pseudonyms: &dyn Pseudonyms = if names == Names::Kept { &*trial.vault } else { &silent };
            let door = Door {
                pipeline: &trial.pipeline,
                clock: trial.clock.clone(),
                persons: &trial.persons,
                pseudonyms,
                seal: &*trial.vault,
                now_us: trial.now_us,
                known: KnownAt::At(trial.known_us),
                limits: trial.limits,
            };
            let file = FileInput { path: Path::new(""), file_no: 0, display: "ops_quarantine" };
            Ok(door.take_again(&file, &opened)?)
        })
        .await?
    }
}

/// The vault without ears.
struct Silent(Arc<store::Vault>);

impl Pseudonyms for Silent {
    fn keys(&self, kind: PersonKind, ids: &[&str]) -> Result<HashMap<String, Known>, VaultError> {
        self.0.keys(kind, ids)
    }

    fn remember(&self, _: PersonKind, _: &[(i64, &str, &str)]) -> Result<(), VaultError> {
        Ok(())
    }

    fn holders(&self, kind: PersonKind, by: &str, value: &str) -> Result<Vec<Holder>, VaultError> {
        self.0.holders(kind, by, value)
    }

    fn identify(&self, _: PersonKind, _: &[Identifier<'_>]) -> Result<u64, VaultError> {
        Ok(0)
    }
}

/// Places in the list of the rows that passed.
pub(super) fn passed(taken: &Taken) -> HashSet<usize> {
    taken.parts.iter().flat_map(|it| places(&it.batch)).collect()
}

/// Places in the list of the rows that are still bad.
pub(super) fn failed(taken: &Taken) -> HashSet<usize> {
    places(&taken.rejects).into_iter().collect()
}

/// Places in the list, in the order of the rows: the door counts from 1.
pub(super) fn places(batch: &RecordBatch) -> Vec<usize> {
    let numbers = batch.column_by_name("row_no").map(|it| it.as_primitive::<Int64Type>().values().to_vec());
    numbers.unwrap_or_default().into_iter().map(|it| usize::try_from(it - 1).unwrap_or(usize::MAX)).collect()
}

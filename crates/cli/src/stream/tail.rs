//! What the log has of each raw table, for whoever reads.

use std::path::PathBuf;
use std::sync::Arc;

use engine::{TableTail, TailPart, Tails};
use schema::{Pipeline, raw_schema};
use wal::{Kept, Log};

use super::LOG_APP;
use super::commit::parts;

/// The log, seen from inside the process that writes it or from beside it.
#[derive(Debug)]
pub(crate) struct Tail {
    source: Source,
    pipelines: Vec<Pipeline>,
}

#[derive(Debug)]
enum Source {
    Writer(Arc<Log>),
    Beside(PathBuf),
}

impl Tail {
    /// The tail of a log, or of the files of one that another process may write.
    pub(crate) fn new(log: Option<Arc<Log>>, folder: PathBuf, pipelines: &[Pipeline]) -> Self {
        let source = log.map_or(Source::Beside(folder), Source::Writer);
        Self { source, pipelines: pipelines.iter().filter(|it| it.pipeline.push).cloned().collect() }
    }

    fn frames(&self) -> Result<Vec<Arc<Kept>>, wal::Error> {
        match &self.source {
            Source::Writer(log) => Ok(log.tail()),
            Source::Beside(folder) => wal::peek(folder),
        }
    }
}

impl Tails for Tail {
    fn tail(&self, table: &str) -> Result<Option<TableTail>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(pipeline) = self.pipelines.iter().find(|it| it.raw_table() == table) else { return Ok(None) };
        let mut found = Vec::new();
        for kept in self.frames()?.iter().filter(|it| it.frame.pipeline == pipeline.name()) {
            for (day, batch) in parts(pipeline, kept)? {
                found.push(TailPart { position: kept.position, day, batch });
            }
        }
        let partition_by = pipeline.is_event().then(|| "occurred_on".to_owned());
        Ok(Some(TableTail { app_id: LOG_APP, schema: raw_schema(pipeline), partition_by, parts: found }))
    }

    fn tables(&self) -> Vec<String> {
        self.pipelines.iter().map(Pipeline::raw_table).collect()
    }
}

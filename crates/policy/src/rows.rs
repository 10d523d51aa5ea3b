//! The rows of an answer, up to a number and up to a time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::Sleep;

use crate::Error;
use crate::audit::{Answered, Asked, Audit};
use crate::fault::Fault;

/// The rows of one query. Ends after the row limit and fails after the time limit, whichever comes first.
pub struct Rows {
    stream: SendableRecordBatchStream,
    deadline: Pin<Box<Sleep>>,
    left: usize,
    handed: usize,
    is_truncated: bool,
    state: State,
    record: Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
}

/// What is told to the audit log when the rows end, however they end.
pub(crate) struct Record {
    pub(crate) asked: Asked,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) begun: Instant,
}

impl Record {
    /// Tells the audit log of a failure and gives what may be shown of it.
    pub(crate) fn failed(&self, fault: Fault, rows: usize) -> Error {
        let (sqlstate, detail) = (Some(fault.sqlstate), Some(fault.detail));
        self.audit.answered(&self.asked, &Answered { rows, sqlstate, detail, took: self.begun.elapsed() });
        Error::Query {
            query_id: self.asked.query_id.clone(),
            sqlstate: fault.sqlstate,
            public_message: fault.public_message,
            blame: fault.blame,
        }
    }
}

impl Rows {
    pub(crate) fn new(
        stream: SendableRecordBatchStream,
        deadline: tokio::time::Instant,
        rows_max: usize,
        record: Record,
    ) -> Self {
        let deadline = Box::pin(tokio::time::sleep_until(deadline));
        Self { stream, deadline, left: rows_max, handed: 0, is_truncated: false, state: State::Open, record }
    }

    /// Number of the query.
    pub fn query_id(&self) -> &str {
        &self.record.asked.query_id
    }

    /// Columns of the answer; field metadata tell class, unit and mask of what comes straight from a table.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// Says whether rows were left out because the limit was reached; known when the stream has ended.
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Rows handed out so far.
    pub fn handed(&self) -> usize {
        self.handed
    }

    /// Reads everything.
    ///
    /// # Errors
    /// If the query fails or takes too long.
    pub async fn collect(&mut self) -> Result<Vec<RecordBatch>, Error> {
        self.try_collect().await
    }

    /// The rows as the engine's own stream, for encoders; errors in it hold an [`Error`] that may be shown.
    pub fn into_stream(self) -> SendableRecordBatchStream {
        let schema = self.schema();
        let rows = self.map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    fn end(&mut self) {
        if self.state == State::Open {
            self.state = State::Ended;
            let took = self.record.begun.elapsed();
            let answered = Answered { rows: self.handed, sqlstate: None, detail: None, took };
            self.record.audit.answered(&self.record.asked, &answered);
        }
    }

    fn fail(&mut self, fault: Fault) -> Poll<Option<Result<RecordBatch, Error>>> {
        self.state = State::Ended;
        Poll::Ready(Some(Err(self.record.failed(fault, self.handed))))
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.state == State::Ended {
                return Poll::Ready(None);
            }
            // The time is asked first: a query that always has a next row ready would never be asked otherwise.
            if self.deadline.as_mut().poll(ctx).is_ready() {
                return self.fail(too_long());
            }
            let batch = match std::task::ready!(self.stream.poll_next_unpin(ctx)) {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return self.fail(Fault::of_execution(&error)),
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let taken = batch.num_rows().min(self.left);
            self.left -= taken;
            self.handed += taken;
            if taken < batch.num_rows() {
                self.is_truncated = true;
                self.end();
            }
            if taken == 0 {
                return Poll::Ready(None);
            }
            return Poll::Ready(Some(Ok(batch.slice(0, taken))));
        }
    }
}

impl Drop for Rows {
    /// A client that goes away before the end is written down too.
    fn drop(&mut self) {
        self.end();
    }
}

/// The failure of a query that took longer than a session may.
pub(crate) fn too_long() -> Fault {
    Fault::refused("57014", "the query took longer than a session may")
}

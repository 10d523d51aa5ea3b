//! What one frame holds, and how it is written: a name, a note of the caller, and batches as Arrow IPC streams.

use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use crate::Error;

/// What enters and leaves the log as one: all of it or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Whose rows they are.
    pub pipeline: String,
    /// What the caller wants to find again with the rows.
    pub note: Vec<u8>,
    /// The rows. A batch without rows is kept too.
    pub batches: Vec<RecordBatch>,
}

impl Frame {
    /// The frame as bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.pipeline.as_bytes());
        put(&mut bytes, &self.note);
        bytes.extend((self.batches.len() as u32).to_le_bytes());
        for batch in &self.batches {
            let stream = ipc(batch).map_err(|source| Error::Arrow { action: "write", source })?;
            put(&mut bytes, &stream);
        }
        Ok(bytes)
    }

    /// The frame that some bytes hold.
    ///
    /// # Errors
    /// If they hold none: what is wrong, in words.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut rest = bytes;
        let pipeline = String::from_utf8(take(&mut rest)?.to_vec()).map_err(|it| it.to_string())?;
        let note = take(&mut rest)?.to_vec();
        let n = number(&mut rest)?;
        let mut batches = Vec::new();
        for _ in 0..n {
            let stream = take(&mut rest)?;
            let mut reader = StreamReader::try_new(stream, None).map_err(|it| it.to_string())?;
            let empty = RecordBatch::new_empty(reader.schema());
            batches.push(reader.next().transpose().map_err(|it| it.to_string())?.unwrap_or(empty));
        }
        if rest.is_empty() { Ok(Self { pipeline, note, batches }) } else { Err("bytes are left over".to_owned()) }
    }
}

fn ipc(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    writer.into_inner()
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u32).to_le_bytes());
    bytes.extend(part);
}

fn number(rest: &mut &[u8]) -> Result<usize, String> {
    let (head, tail) = rest.split_first_chunk::<4>().ok_or("a length is cut")?;
    *rest = tail;
    Ok(u32::from_le_bytes(*head) as usize)
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let n = number(rest)?;
    let (part, tail) = rest.split_at_checked(n).ok_or("a part is cut")?;
    *rest = tail;
    Ok(part)
}

//! One file of the log: a head, then frames. Reading says whether its end is torn or its middle is damaged.
//!
//! Every frame says up to which position the log was synced when it was written. So a bad place is told apart: if a good
//! frame behind it says that the bad one was synced, an answer was given for it, and that is damage; if none does, nobody
//! was answered, and it is the torn end that a power cut leaves, in whatever order the disk wrote its pages.

use std::path::PathBuf;

use crate::Error;
use crate::frame::Frame;

const MAGIC: &[u8; 8] = b"YZLOG\x001\n";
/// Magic, first position, checksum.
pub(crate) const HEAD: usize = 8 + 8 + 4;
/// Length, checksum, position, synced position.
const FRAME_HEAD: usize = 4 + 4 + 8 + 8;
const SUFFIX: &str = ".log";

/// What was cut off the end of the log when it was opened: bytes of frames that nobody was answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub path: PathBuf,
    /// Where it now ends.
    pub offset: u64,
    /// Bytes that were cut off.
    pub bytes: u64,
}

/// A frame as it stands in a file.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) position: i64,
    pub(crate) frame: Frame,
    /// Bytes that it takes in the file.
    pub(crate) bytes: u64,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) frames: Vec<Found>,
    /// Position of the last frame, released ones among them; one before the first if there is none.
    pub(crate) last: i64,
    /// Where the first bad byte is, of a file whose end is torn; 0 if even the head is.
    pub(crate) torn_at: Option<u64>,
}

pub(crate) fn name(first: i64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// First position of a file of the log; `None` for a file that is none.
pub(crate) fn first_of(name: &str) -> Option<i64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

pub(crate) fn head(first: i64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(first.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// A frame with its head.
pub(crate) fn framed(position: i64, synced: i64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_HEAD + payload.len());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(position.to_le_bytes());
    bytes.extend(synced.to_le_bytes());
    bytes.extend(payload);
    let sum = checksum(&bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..4]);
    hasher.update(&frame[8..]);
    hasher.finalize()
}

fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..at + 8).and_then(|it| it.try_into().ok()).map(i64::from_le_bytes)
}

/// A whole frame at some place: position, synced position, payload.
fn at(bytes: &[u8], offset: usize) -> Option<(i64, i64, &[u8])> {
    let rest = bytes.get(offset..)?;
    let length = u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize;
    let frame = rest.get(..FRAME_HEAD.checked_add(length)?)?;
    let sum = u32::from_le_bytes(frame[4..8].try_into().ok()?);
    (checksum(frame) == sum).then_some((i64_at(frame, 8)?, i64_at(frame, 16)?, &frame[FRAME_HEAD..]))
}

/// Whether a good frame from some place on says that this position was synced.
fn is_claimed(bytes: &[u8], from: usize, position: i64) -> bool {
    (from..bytes.len().saturating_sub(FRAME_HEAD - 1)).any(|offset| {
        // The checksum is looked at last: nearly no place has a position that could stand there.
        let is_near = i64_at(bytes, offset + 8).is_some_and(|it| position < it && it - position <= bytes.len() as i64);
        is_near && at(bytes, offset).is_some_and(|(_, synced, _)| position <= synced)
    })
}

/// Reads a file of the log. `is_last` says that no other comes behind it: only then may its end be torn.
pub(crate) fn read(path: PathBuf, first: i64, bytes: &[u8], is_last: bool) -> Result<Read, Error> {
    let damaged = |offset: usize, what: &str| Error::Damaged { path: path.clone(), offset: offset as u64, what: what.to_owned() };
    let mut frames = Vec::new();
    if bytes.get(..HEAD) != Some(&head(first)[..]) {
        if is_last && !is_claimed(bytes, 0, first) {
            return Ok(Read { frames, last: first - 1, torn_at: Some(0) });
        }
        return Err(damaged(0, "its head does not say what its name says"));
    }
    let (mut offset, mut position) = (HEAD, first);
    while offset < bytes.len() {
        match at(bytes, offset) {
            // A released frame: its position stays, for the next one follows it.
            Some((found, _, [])) if found == position => {
                offset += FRAME_HEAD;
                position += 1;
            }
            Some((found, _, payload)) if found == position => {
                let frame = Frame::of(payload).map_err(|what| damaged(offset, &what))?;
                let length = FRAME_HEAD + payload.len();
                frames.push(Found { position, frame, bytes: length as u64 });
                offset += length;
                position += 1;
            }
            Some((found, ..)) => {
                return Err(damaged(offset, &format!("frame {found} stands where frame {position} belongs")));
            }
            None if is_last && !is_claimed(bytes, offset, position) => {
                return Ok(Read { frames, last: position - 1, torn_at: Some(offset as u64) });
            }
            None => return Err(damaged(offset, &format!("frame {position} is not whole"))),
        }
    }
    Ok(Read { frames, last: position - 1, torn_at: None })
}

/// A whole file without the bytes of some frames; `None` if it cannot be read.
pub(crate) fn thinned(bytes: &[u8], first: i64, is_kept: &dyn Fn(i64) -> bool) -> Option<Vec<u8>> {
    let mut thin = bytes.get(..HEAD)?.to_vec();
    let (mut offset, mut position) = (HEAD, first);
    while offset < bytes.len() {
        let (found, synced, payload) = at(bytes, offset).filter(|it| it.0 == position)?;
        let end = offset + FRAME_HEAD + payload.len();
        if is_kept(found) {
            thin.extend(&bytes[offset..end]);
        } else {
            thin.extend(framed(found, synced, &[]));
        }
        (offset, position) = (end, position + 1);
    }
    Some(thin)
}

/// Bytes of a file with so many released frames beside others.
pub(crate) fn thin_bytes(released_n: u64, others: u64) -> u64 {
    (HEAD as u64) + released_n * (FRAME_HEAD as u64) + others
}

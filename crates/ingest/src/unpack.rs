//! The bytes of a file, unpacked, and never more of them than the limit.

use std::fs;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use crate::{Error, FileInput};

/// Reads a file whole. `.gz` (several members too) and `.zst` are unpacked; what is packed and cut is an error.
///
/// A file is all or nothing, so it has to be held until its last row is known anyway.
pub(crate) fn read(file: &FileInput<'_>, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let refuse = |source| Error::Io { verb: "read", path: file.path.to_owned(), source };
    let opened = fs::File::open(file.path).map_err(refuse)?;
    let packed_bytes = opened.metadata().map_err(refuse)?.len();
    let extension = file.path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let mut bytes = Vec::new();
    match extension {
        "gz" | "zst" => {
            let packed = io::BufReader::with_capacity(1 << 17, opened);
            let mut unpacked: Box<dyn Read> = if extension == "gz" {
                Box::new(MultiGzDecoder::new(packed))
            } else {
                Box::new(zstd::stream::read::Decoder::with_buffer(packed).map_err(refuse)?)
            };
            bytes.reserve((packed_bytes.min(bytes_max) as usize).saturating_mul(4).min(1 << 28));
            let cut = |source: io::Error| Error::Packed { file: file.display.to_owned(), source };
            unpacked.by_ref().take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(cut)?;
        }
        _ => {
            bytes.reserve_exact(packed_bytes.min(bytes_max) as usize + 1);
            opened.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(refuse)?;
        }
    }
    if bytes_max < bytes.len() as u64 {
        return Err(too_large(file, bytes_max));
    }
    Ok(bytes)
}

/// The error for a file beyond the limit.
pub(crate) fn too_large(file: &FileInput<'_>, bytes_max: u64) -> Error {
    Error::TooLarge { file: file.display.to_owned(), limit: bytes_max, unit: "bytes unpacked" }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn unpacked(name: &str, bytes: &[u8], bytes_max: u64) -> Result<Vec<u8>, Error> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("file");
        read(&FileInput { path: &path, file_no: 1, display: name }, bytes_max)
    }

    #[test]
    fn members_of_a_gzip_file_follow_one_another() {
        let bytes = [packed(b"one\n"), packed(b"two\n")].concat();
        assert_eq!(unpacked("x.gz", &bytes, 100).expect("whole"), b"one\ntwo\n");
    }

    #[test]
    fn a_cut_file_is_refused_whatever_packed_it() {
        let gz = packed(b"one\ntwo\n");
        let zst = zstd::encode_all(&b"one\ntwo\n"[..], 1).expect("in memory");
        assert!(matches!(unpacked("x.gz", &gz[..gz.len() - 4], 100), Err(Error::Packed { .. })));
        assert!(matches!(unpacked("x.zst", &zst[..zst.len() - 4], 100), Err(Error::Packed { .. })));
        assert_eq!(unpacked("x.zst", &zst, 100).expect("whole"), b"one\ntwo\n");
    }

    #[test]
    fn a_file_may_not_unpack_beyond_the_limit() {
        assert!(matches!(unpacked("x.gz", &packed(&[b'a'; 1000]), 999), Err(Error::TooLarge { .. })));
        assert!(unpacked("x.gz", &packed(&[b'a'; 1000]), 1000).is_ok());
        assert!(matches!(unpacked("x", &[b'a'; 1000], 999), Err(Error::TooLarge { .. })));
    }
}

//! The bytes of a file, unpacked, and never more of them than the limit.

use std::fs;
use std::io::{self, Read};

use encoding_rs::GB18030;
use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::{Error, FileInput, Quoted};

/// Reads a file whole. `.gz` (several members too), `.zst` and `.zip` with one file in it are unpacked; what is packed and
/// cut is an error.
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
        "zip" => {
            let mut archive = ZipArchive::new(io::BufReader::with_capacity(1 << 17, opened)).map_err(|it| broken(file, it))?;
            let only = only_file(file, &mut archive)?;
            let unpacked = archive.by_index(only).map_err(|it| broken(file, it))?;
            let cut = |source: io::Error| Error::Packed { file: file.display.to_owned(), source };
            // What the archive says of the size is a promise; what is read is counted.
            unpacked.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(cut)?;
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

/// The place of the one file in an archive.
///
/// Folders are none, and neither is what macOS leaves beside a file (`__MACOSX`) or names with a leading dot.
fn only_file(file: &FileInput<'_>, archive: &mut ZipArchive<impl Read + io::Seek>) -> Result<usize, Error> {
    let (mut places, mut names, mut is_encrypted) = (Vec::new(), Vec::new(), false);
    for place in 0..archive.len() {
        let entry = archive.by_index_raw(place).map_err(|it| broken(file, it))?;
        let name = name_text(entry.name_raw());
        if entry.is_dir() || name.split(['/', '\\']).any(|it| it.starts_with('.') || it == "__MACOSX") {
            continue;
        }
        is_encrypted |= entry.encrypted();
        places.push(place);
        names.push(name);
    }
    let (file, names) = (file.display.to_owned(), Quoted(names));
    match places[..] {
        _ if is_encrypted => Err(Error::Encrypted { file, names }),
        [place] => Ok(place),
        _ => Err(Error::NotOneFile { file, names }),
    }
}

/// A name in an archive: UTF-8, or what Chinese Windows writes.
fn name_text(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => GB18030.decode_without_bom_handling(raw).0.into_owned(),
    }
}

fn broken(file: &FileInput<'_>, source: ZipError) -> Error {
    Error::Packed { file: file.display.to_owned(), source: source.into() }
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

    /// An archive of files, a name that ends with a slash is a folder.
    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in files {
            let options = zip::write::SimpleFileOptions::default();
            if name.ends_with('/') {
                writer.add_directory(*name, options).expect("in memory");
            } else {
                writer.start_file(*name, options).expect("in memory");
                writer.write_all(content).expect("in memory");
            }
        }
        writer.finish().expect("in memory").into_inner()
    }

    #[test]
    fn the_one_file_of_an_archive_is_found_among_what_is_none() {
        let bytes = zipped(&[
            ("export/", b""),
            ("__MACOSX/export/._card.csv", b"x"),
            ("export/.DS_Store", b"x"),
            (".hidden/card.csv", b"x"),
            ("export/card.csv", b"one\n"),
        ]);
        assert_eq!(unpacked("x.zip", &bytes, 100).expect("one file"), b"one\n");
    }

    #[test]
    fn an_archive_of_several_files_is_refused_with_their_names() {
        let error = unpacked("x.zip", &zipped(&[("a.csv", b"1"), ("b/c.csv", b"2")]), 100).expect_err("two files");
        assert_eq!(
            error.to_string(),
            "file \"x.zip\" holds \"a.csv\", \"b/c.csv\" where one file is expected: pack each by itself, or unpack them beside it"
        );
        let error = unpacked("x.zip", &zipped(&[("a/", b"")]), 100).expect_err("no file");
        assert!(error.to_string().contains("holds nothing where"), "{error}");
    }

    #[test]
    fn an_encrypted_archive_is_refused_with_its_names() {
        let mut bytes = zipped(&[("工资.csv", b"1")]);
        // The lowest flag of the local and of the central head says that a password is needed.
        let central = bytes.windows(4).position(|it| it == b"PK\x01\x02").expect("a central head");
        bytes[6] |= 1;
        bytes[central + 8] |= 1;
        let error = unpacked("x.zip", &bytes, 100).expect_err("encrypted");
        let expected = "file \"x.zip\" with \"工资.csv\" in it needs a password: unpack it first, or pack it again without one";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_archive_that_was_cut_or_spoilt_is_refused() {
        let bytes = zipped(&[("a.csv", b"one\ntwo\nthree\n")]);
        assert!(matches!(unpacked("x.zip", &bytes[..bytes.len() - 4], 100), Err(Error::Packed { .. })));
        assert!(matches!(unpacked("x.zip", b"txn_id\n1\n", 100), Err(Error::Packed { .. })));
        let mut spoilt = bytes;
        spoilt[36] ^= 0xff;
        assert!(matches!(unpacked("x.zip", &spoilt, 100), Err(Error::Packed { .. })));
    }

    #[test]
    fn names_of_chinese_windows_are_read() {
        assert_eq!(name_text("工资.csv".as_bytes()), "工资.csv");
        assert_eq!(name_text(b"\xb9\xa4\xd7\xca.csv"), "工资.csv");
    }

    #[test]
    fn an_archive_that_lies_about_its_size_stops_at_the_limit() {
        let mut bytes = zipped(&[("a.csv", &[b'a'; 100_000])]);
        let central = bytes.windows(4).position(|it| it == b"PK\x01\x02").expect("a central head");
        bytes[central + 24..central + 28].copy_from_slice(&10_u32.to_le_bytes());
        assert!(unpacked("x.zip", &bytes, 50_000).is_err());
    }

    #[test]
    fn a_file_may_not_unpack_beyond_the_limit() {
        assert!(matches!(unpacked("x.gz", &packed(&[b'a'; 1000]), 999), Err(Error::TooLarge { .. })));
        assert!(unpacked("x.gz", &packed(&[b'a'; 1000]), 1000).is_ok());
        assert!(matches!(unpacked("x.zip", &zipped(&[("a", &[b'a'; 1000])]), 999), Err(Error::TooLarge { .. })));
        assert!(unpacked("x.zip", &zipped(&[("a", &[b'a'; 1000])]), 1000).is_ok());
        assert!(matches!(unpacked("x", &[b'a'; 1000], 999), Err(Error::TooLarge { .. })));
    }
}

//! Which files a source has, and what tells one content from another.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::Error;

/// Lists the files of a source under the input folder, sorted by path.
///
/// `*` stands for anything within one name. Names that begin with `.` or end with `.tmp` or `.part` are still being
/// written by somebody and are left alone. A folder that does not exist has no files.
///
/// # Errors
/// If the pattern leaves the input folder, or a folder cannot be listed.
pub fn files(input_root: &Path, pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let relative = Path::new(pattern);
    if pattern.is_empty() || relative.components().any(|it| !matches!(it, Component::Normal(_) | Component::CurDir)) {
        return Err(Error::Pattern { pattern: pattern.to_owned() });
    }
    let names: Vec<&str> = pattern.split('/').filter(|it| !it.is_empty() && *it != ".").collect();
    let mut found = vec![input_root.to_owned()];
    for (depth, name) in names.iter().enumerate() {
        let is_last = depth + 1 == names.len();
        let mut next = Vec::new();
        for folder in found {
            if name.contains('*') {
                matching(&folder, name, is_last, &mut next)?;
            } else {
                let path = folder.join(name);
                if !is_unfinished(name) && if is_last { path.is_file() } else { path.is_dir() } {
                    next.push(path);
                }
            }
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

/// Hashes the content of a file: BLAKE3, in hexadecimal.
///
/// # Errors
/// If the file cannot be read.
pub fn hash_file(path: &Path) -> Result<String, Error> {
    let refuse = |source| Error::Io { verb: "read", path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(refuse)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(refuse)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            n => hasher.update(&buffer[..n]),
        };
    }
}

/// Hashes a content that lies in memory, as [`hash_file`] does.
pub fn hash_bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn matching(folder: &Path, pattern: &str, want_file: bool, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let refuse = |source| Error::Io { verb: "list", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refuse(error)),
    };
    for entry in entries {
        let path = entry.map_err(refuse)?.path();
        let Some(name) = path.file_name().and_then(|it| it.to_str()) else { continue };
        if !is_unfinished(name) && fits(pattern, name) && if want_file { path.is_file() } else { path.is_dir() } {
            found.push(path);
        }
    }
    Ok(())
}

fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".part")
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_within_a_name() {
        #[track_caller]
        fn check(pattern: &str, name: &str, expected: bool) {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
        check("card_*.csv", "card_20250901.csv", true);
        check("card_*.csv", "card_.csv", true);
        check("card_*.csv", "card.csv", false);
        check("card_*.csv", "card_1.csv.gz", false);
        check("*", "anything", true);
        check("a*b*c", "aXbYc", true);
        check("a*b*c", "aXcYb", false);
        check("ab*ba", "aba", false);
    }

    #[test]
    fn files_are_listed_in_order_without_those_still_being_written() {
        let root = tempfile::tempdir().expect("temporary folder");
        for name in ["b/card_2.csv", "a/card_1.csv", "a/.card_3.csv", "a/card_4.csv.tmp", "a/card_5.csv.part"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, "x").expect("file");
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = files(root.path(), pattern).expect("listed");
            found.iter().map(|it| it.strip_prefix(root.path()).expect("under root").display().to_string()).collect()
        };
        assert_eq!(names("*/card_*"), ["a/card_1.csv", "b/card_2.csv"]);
        assert_eq!(names("a/card_1.csv"), ["a/card_1.csv"]);
        assert!(names("absent/*.csv").is_empty());
        assert!(matches!(files(root.path(), "../x"), Err(Error::Pattern { .. })));
        assert!(matches!(files(root.path(), "/etc/*"), Err(Error::Pattern { .. })));
    }

    #[test]
    fn equal_contents_have_equal_hashes() {
        let root = tempfile::tempdir().expect("temporary folder");
        let path = root.path().join("x");
        fs::write(&path, "").expect("file");
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(hash_file(&path).expect("hash"), empty);
        assert_eq!(hash_bytes(b""), empty);
    }
}

//! What the system says of the disk below a folder.

use std::path::Path;

/// Bytes that may still be written by this user; unknown where the system does not say.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_what_is_not_there_has_none_to_speak_of() {
        let folder = tempfile::TempDir::new().expect("a folder");
        assert!(free_bytes(folder.path()).is_some_and(|it| 0 < it));
        assert_eq!(free_bytes(&folder.path().join("missing")), None);
    }
}

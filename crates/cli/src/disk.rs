//! What the system says of the disk below a folder, and folders that are their owner's alone.

use std::path::Path;

use anyhow::Context;

/// Bytes that may still be written by this user; unknown where the system does not say.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Makes a folder that only its owner may open, if it is missing: rows of students lie in it.
pub(crate) fn private_folder(folder: &Path) -> anyhow::Result<()> {
    let mut folders = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
    folders.recursive(true).create(folder).with_context(|| format!("could not make {}", folder.display()))
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

    #[cfg(unix)]
    #[test]
    fn a_private_folder_is_its_owners_alone_and_one_that_is_there_stays_as_it_is() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::TempDir::new().expect("a folder");
        let mode = |path: &Path| std::fs::metadata(path).expect("a folder").permissions().mode() & 0o777;
        let made = folder.path().join("data");
        private_folder(&made).expect("made");
        assert_eq!(mode(&made), 0o700);
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o750)).expect("its mode");
        private_folder(&made).expect("it is there");
        assert_eq!(mode(&made), 0o750);
    }
}

//! kill -9 at any moment, and the next start needs nobody to repair anything.

use std::time::Duration;

use tempfile::TempDir;

use crate::support::{NOW, assert_same, campus, contents, run_newest, yizhan};

#[test]
fn runs_that_were_killed_end_like_one_that_was_not() {
    let data = TempDir::new().expect("a temporary folder");
    // At places where a file or an entry of a table is half there, as far as they have names.
    for point in
        ["commit.file.before:2", "commit.file.after:3", "commit.entry.before:2", "commit.entry.linked:2", "commit.entry.after:3"]
    {
        let mut command = yizhan(data.path(), &["--set", "transform.as_of_days=1", "run", "--now", NOW, "--input"]);
        let ended = command.arg(campus()).env("YIZHAN_FAILPOINT", point).output().expect("the binary starts");
        assert!(!ended.status.success(), "{point} was not passed");
    }
    // And at moments from the first file to the middle of the tables; which line they hit differs, and must not matter.
    for delay_ms in [90, 210, 380, 620, 1_100, 2_600, 5_300] {
        let mut child = yizhan(data.path(), &["--set", "transform.as_of_days=1", "run", "--now", NOW, "--input"])
            .arg(campus())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the binary starts");
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().expect("kill -9");
        child.wait().expect("it ends");
    }
    run_newest(data.path(), campus(), NOW);
    let calm = TempDir::new().expect("a temporary folder");
    run_newest(calm.path(), campus(), NOW);
    assert_same(&contents(calm.path()), &contents(data.path()));
}

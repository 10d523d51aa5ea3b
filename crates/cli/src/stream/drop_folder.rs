//! The drop folder (投递文件夹): files that devices and scripts put there enter like a request, and move on.
//!
//! `<folder>/<pipeline>/` is where files are put. Each goes its way in steps, and after a crash between any two of them the
//! next start does the rest:
//!
//! 1. a whole file is renamed into `.taking/`, so that nobody puts another one in its place while it is read;
//! 2. its rows are in the log, synced, under the hash of its bytes: the same bytes are never taken twice;
//! 3. it is renamed into `done/`; or, if it cannot be taken, the reason is written into `refused/` and it follows.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ::ingest::PushForm;
use anyhow::Context;
use serve::{PushRefusal, PushRefusalKind};
// A folder on a share may answer slowly: whoever asks it keeps no other door waiting.
use tokio::task::{JoinHandle, block_in_place};
use wal::point::pass;

use super::door::{Doorstep, refused};
use super::inside::Pause;
use super::parcel::{Cargo, Parcel};
use crate::house::House;

const TAKING: &str = ".taking";
const DONE: &str = "done";
const REFUSED: &str = "refused";
/// Between two looks at a folder.
const LOOK: Duration = Duration::from_millis(500);
/// Between two looks at what may go from `done/`.
const SWEEP: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Makes the folders and begins to watch them, one task a pipeline.
pub(super) fn open(house: &Arc<House>, door: &Arc<Doorstep>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let config = &house.settings.stream.drop;
    if config.folder.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let root = house.place.project.join(&config.folder);
    let mut tasks = Vec::new();
    for it in house.project.pipelines.iter().filter(|it| it.pipeline.push) {
        let folder = Folder {
            pipeline: it.name().to_owned(),
            is_lines: it.bytes_format() == schema::Format::Jsonl,
            name: format!("drop/{}", it.name()),
            root: root.join(it.name()),
            quiet: Duration::from_secs(config.quiet_seconds),
            kept: DAY * config.done_days,
            bytes_max: house.settings.stream.body_bytes_max.0,
        };
        for below in [TAKING, DONE, REFUSED] {
            let path = folder.root.join(below);
            fs::create_dir_all(&path).with_context(|| format!("could not make {}", path.display()))?;
        }
        door.board.begin(&folder.name, &folder.pipeline);
        tasks.push(tokio::spawn(watch(door.clone(), Arc::new(folder))));
    }
    Ok(tasks)
}

/// The folder of one pipeline.
#[derive(Debug)]
struct Folder {
    pipeline: String,
    /// Whether the contract itself is of JSON lines.
    is_lines: bool,
    /// Its name among the doors.
    name: String,
    root: PathBuf,
    quiet: Duration,
    kept: Duration,
    bytes_max: u64,
}

/// Size and time of the last change: while they stay nobody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    bytes: u64,
    changed: SystemTime,
}

impl Shape {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { bytes: metadata.len(), changed: metadata.modified()? })
    }
}

/// When a file was first seen as it is.
type Seen = HashMap<PathBuf, (Shape, Instant)>;

async fn watch(door: Arc<Doorstep>, folder: Arc<Folder>) {
    let mut pause = Pause::new();
    let mut seen = Seen::new();
    let mut swept: Option<Instant> = None;
    loop {
        let mut taken = 0;
        match round(&door, &folder, &mut seen, &mut taken).await {
            Ok(()) => {
                door.board.open(&folder.name);
                pause.reset();
                tokio::time::sleep(LOOK).await;
            }
            Err(refusal) => {
                door.board.waits(&folder.name, &refusal);
                // Where some were taken before it was full the log is being emptied, and there is room again soon.
                if 0 < taken {
                    pause.reset();
                }
                tokio::time::sleep(pause.grown()).await;
            }
        }
        if swept.is_none_or(|it| SWEEP < it.elapsed()) {
            swept = Some(Instant::now());
            if let Err(error) = block_in_place(|| folder.sweep()) {
                door.board.trouble(&folder.name, "done/ 中的旧文件未能清理", &format!("old files of done/ stay: {error}"));
            }
        }
    }
}

fn disk(folder: &Folder, error: &io::Error) -> PushRefusal {
    let at = folder.root.display();
    refused(PushRefusalKind::Failed, format!("投递文件夹 {at} 读写失败：{error}"), format!("drop folder {at}: {error}"))
}

/// Takes all files that are whole, in the order in which they were written; stops at the first that has to wait.
async fn round(door: &Arc<Doorstep>, folder: &Arc<Folder>, seen: &mut Seen, taken: &mut usize) -> Result<(), PushRefusal> {
    let failed = |error: io::Error| disk(folder, &error);
    // What a crash or a full log left behind comes first: a newer file of the same name waits for it.
    for path in block_in_place(|| folder.files(&folder.root.join(TAKING))).map_err(failed)? {
        take(door, folder, &path).await?;
        *taken += 1;
    }
    let files = block_in_place(|| folder.files(&folder.root)).map_err(failed)?;
    let there: HashSet<&PathBuf> = files.iter().collect();
    seen.retain(|path, _| there.contains(path));
    door.board.behind(&folder.name, files.len() as u64);
    for path in files {
        let Some(taking) = block_in_place(|| folder.claim(&path, seen)).map_err(failed)? else { continue };
        pass("drop.claimed");
        take(door, folder, &taking).await?;
        *taken += 1;
    }
    Ok(())
}

/// Takes one file of `.taking/`. One that still changes is looked at again in the next round.
async fn take(door: &Arc<Doorstep>, folder: &Arc<Folder>, path: &Path) -> Result<(), PushRefusal> {
    let failed = |error: io::Error| disk(folder, &error);
    let before = block_in_place(|| Shape::of(path)).map_err(failed)?;
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    if folder.bytes_max < before.bytes {
        let hash = hashed(path).await.map_err(failed)?;
        let kib = folder.bytes_max >> 10;
        let why = refused(
            PushRefusalKind::TooLarge,
            format!("文件超过 {kib} KiB（stream.body_bytes_max）：请拆分，或放入 input/ 由每晚的批处理读取"),
            format!(
                "the file is larger than {kib} KiB (stream.body_bytes_max): split it, or put it into input/ for the nightly run"
            ),
        );
        return block_in_place(|| folder.refuse(path, &hash, &why)).map_err(failed);
    }
    let read = path.to_owned();
    let bytes = tokio::task::spawn_blocking(move || fs::read(read)).await.map_err(|it| failed(io::Error::other(it)))?;
    let bytes = bytes.map_err(failed)?;
    if block_in_place(|| Shape::of(path)).map_err(failed)? != before || bytes.len() as u64 != before.bytes {
        return Ok(());
    }
    let hash = ::ingest::hash_bytes(&bytes);
    let is_json = name.ends_with(".jsonl") || name.ends_with(".ndjson");
    let cargo = if is_json && !folder.is_lines {
        Cargo::Pushed(PushForm::Lines, bytes)
    } else {
        Cargo::File { path: path.to_owned(), name, hash: hash.clone() }
    };
    let parcel = Arc::new(Parcel { cargo, key: Some(hash.clone()), reached: None });
    let answer = door.give(&folder.pipeline, store::DROP_GROUP, &parcel).await;
    // Who writes into a file that was whole has made another one of it.
    if block_in_place(|| Shape::of(path)).map_err(failed)? != before {
        return Ok(());
    }
    match answer {
        Ok(answer) => {
            pass("drop.kept");
            door.board.took(&folder.name, answer["rows_in"].as_u64().unwrap_or(0));
            block_in_place(|| folder.finish(path, &hash)).map_err(failed)?;
            pass("drop.done");
            Ok(())
        }
        Err(why)
            if matches!(
                why.kind,
                PushRefusalKind::Body | PushRefusalKind::TooLarge | PushRefusalKind::KeyReused | PushRefusalKind::Bad
            ) =>
        {
            // What was refused may quote a cell, and this is read by people who see no person's data.
            let (zh, en) = ("有文件被退回，原因在 refused/ 中该文件旁", "a file was refused; why stands beside it in refused/");
            door.board.trouble(&folder.name, zh, en);
            block_in_place(|| folder.refuse(path, &hash, &why)).map_err(failed)
        }
        Err(why) => Err(why),
    }
}

async fn hashed(path: &Path) -> io::Result<String> {
    let path = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || ::ingest::hash_file(&path)).await.map_err(io::Error::other)?;
    hashed.map_err(io::Error::other)
}

impl Folder {
    /// Files of a folder, the one that was written first before the others. Names that begin with `.` or end with `.tmp` or
    /// `.part` are still being written.
    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".part") || !path.is_file() {
                continue;
            }
            if let Ok(shape) = Shape::of(&path) {
                found.push((shape.changed, path));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|it| it.1).collect())
    }

    /// Moves a file that is whole to where it is taken; nothing if it is to be looked at again.
    fn claim(&self, path: &Path, seen: &mut Seen) -> io::Result<Option<PathBuf>> {
        // Somebody may take a file back at any time.
        let Ok(shape) = Shape::of(path) else { return Ok(None) };
        if !self.is_whole(shape, path, seen) {
            return Ok(None);
        }
        let Some(name) = path.file_name() else { return Ok(None) };
        let taking = self.root.join(TAKING).join(name);
        if taking.exists() {
            return Ok(None);
        }
        pass("drop.found");
        fs::rename(path, &taking)?;
        seen.remove(path);
        Ok(Some(taking))
    }

    /// Whether nobody has touched a file for long enough: by its own time, or as long as it was looked at here where clocks
    /// differ. A file that was finished elsewhere and renamed into the folder is whole at once.
    fn is_whole(&self, shape: Shape, path: &Path, seen: &mut Seen) -> bool {
        let first = match seen.get(path) {
            Some((before, first)) if *before == shape => *first,
            _ => {
                let now = Instant::now();
                seen.insert(path.to_owned(), (shape, now));
                now
            }
        };
        self.quiet <= first.elapsed() || shape.changed.elapsed().is_ok_and(|it| self.quiet <= it)
    }

    /// Where a file goes: under its hash, so that no two files of one name meet there.
    fn after(&self, below: &str, path: &Path, hash: &str) -> PathBuf {
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        self.root.join(below).join(format!("{}-{name}", &hash[..hash.len().min(12)]))
    }

    fn finish(&self, path: &Path, hash: &str) -> io::Result<()> {
        if self.kept.is_zero() {
            return fs::remove_file(path);
        }
        let to = self.after(DONE, path, hash);
        fs::rename(path, &to)?;
        // From now on it is kept for so many days; one that is not ours to change goes by the time that it has.
        if let Ok(file) = fs::File::options().append(true).open(&to) {
            let _ = file.set_modified(SystemTime::now());
        }
        Ok(())
    }

    /// The reason first: a file without one is taken up again, a file in `refused/` never lacks it.
    fn refuse(&self, path: &Path, hash: &str, why: &PushRefusal) -> io::Result<()> {
        let to = self.after(REFUSED, path, hash);
        let mut words = to.clone().into_os_string();
        words.push(".txt");
        fs::write(words, format!("{}\n{}\n", why.zh, why.en))?;
        pass("drop.refused");
        fs::rename(path, to)
    }

    /// Removes files that have been in `done/` for long enough.
    fn sweep(&self) -> io::Result<()> {
        for path in self.files(&self.root.join(DONE))? {
            if Shape::of(&path)?.changed.elapsed().is_ok_and(|it| self.kept < it) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder(root: &TempDir, quiet: Duration) -> Folder {
        for below in [TAKING, DONE, REFUSED] {
            fs::create_dir_all(root.path().join(below)).expect("a folder");
        }
        Folder {
            pipeline: "gate_event".to_owned(),
            is_lines: true,
            name: "drop/gate_event".to_owned(),
            root: root.path().to_owned(),
            quiet,
            kept: DAY,
            bytes_max: 100,
        }
    }

    fn put(root: &TempDir, name: &str, age: Duration) -> PathBuf {
        let path = root.path().join(name);
        fs::write(&path, name).expect("written");
        let file = fs::File::options().append(true).open(&path).expect("a file");
        file.set_modified(SystemTime::now() - age).expect("a time");
        path
    }

    #[test]
    fn files_come_in_the_order_in_which_they_were_written_and_unfinished_ones_not_at_all() {
        let root = TempDir::new().expect("a folder");
        let folder = folder(&root, DAY);
        let newer = put(&root, "a.jsonl", Duration::from_secs(5));
        let older = put(&root, "b.jsonl", Duration::from_secs(50));
        for name in [".c.jsonl", "d.jsonl.tmp", "e.jsonl.part"] {
            put(&root, name, Duration::from_secs(500));
        }
        assert_eq!(folder.files(root.path()).expect("a list"), [older, newer]);
    }

    #[test]
    fn a_file_is_whole_once_nobody_touched_it_for_long_enough() {
        let root = TempDir::new().expect("a folder");
        let folder = folder(&root, Duration::from_secs(3_600));
        let mut seen = Seen::new();
        let fresh = put(&root, "a", Duration::ZERO);
        assert!(!folder.is_whole(Shape::of(&fresh).expect("a shape"), &fresh, &mut seen));
        // A clock that is ahead of ours says nothing: what counts is how long we have looked.
        let ahead = put(&root, "b", Duration::ZERO);
        let shape = Shape { changed: SystemTime::now() + DAY, ..Shape::of(&ahead).expect("a shape") };
        assert!(!folder.is_whole(shape, &ahead, &mut seen));
        let moved = put(&root, "c", DAY);
        assert!(folder.is_whole(Shape::of(&moved).expect("a shape"), &moved, &mut seen));
        let patient = Folder { quiet: Duration::ZERO, ..folder };
        assert!(patient.is_whole(shape, &ahead, &mut seen));
    }

    #[test]
    fn what_is_refused_has_its_reason_beside_it_and_what_is_done_goes_after_its_days() {
        let root = TempDir::new().expect("a folder");
        let folder = folder(&root, Duration::ZERO);
        let hash = ::ingest::hash_bytes(b"x");
        let bad = put(&root, "bad.jsonl", DAY * 9);
        folder.refuse(&bad, &hash, &refused(PushRefusalKind::Body, "不行", "no")).expect("refused");
        let moved = folder.after(REFUSED, &bad, &hash);
        assert!(moved.exists() && !bad.exists());
        let words = fs::read_to_string(format!("{}.txt", moved.display())).expect("a reason");
        assert_eq!(words, "不行\nno\n");
        let good = put(&root, "good.jsonl", DAY * 9);
        folder.finish(&good, &hash).expect("done");
        let done = folder.after(DONE, &good, &hash);
        folder.sweep().expect("swept");
        assert!(done.exists(), "its days begin when it was taken");
        let file = fs::File::options().append(true).open(&done).expect("a file");
        file.set_modified(SystemTime::now() - DAY * 2).expect("a time");
        folder.sweep().expect("swept");
        assert!(!done.exists() && moved.exists());
    }

    #[test]
    fn a_file_of_too_many_bad_rows_is_refused_and_keeps_no_other_waiting() {
        use crate::stream::tests::{Stage, contract, event, run};

        run(|| async {
            // The project takes two bad rows of a file, and this one has three.
            let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
            let opened = stage.open().await;
            let root = TempDir::new().expect("a folder");
            let of_thing = Folder { pipeline: "thing".to_owned(), bytes_max: 1 << 20, ..folder(&root, Duration::ZERO) };
            let of_thing = Arc::new(of_thing);
            let write = |name: &str, lines: &[String], age: u64| {
                let path = put(&root, name, Duration::from_secs(age));
                let modified = Shape::of(&path).expect("a shape").changed;
                fs::write(&path, lines.join("\n")).expect("written");
                fs::File::options().append(true).open(&path).expect("a file").set_modified(modified).expect("a time");
            };
            let bad = "{\"id\":\"7\"}".to_owned();
            write("bad.jsonl", &[event(1, "a", 0), bad.clone(), bad.clone(), bad.clone()], 50);
            write("good.jsonl", &[event(2, "a", 0), event(3, "a", 0), bad.clone(), bad], 5);
            round(&opened.door, &of_thing, &mut Seen::new(), &mut 0).await.expect("nothing waits");
            let names = |below: &str| -> Vec<String> {
                let found = fs::read_dir(root.path().join(below)).expect("a folder");
                let mut names: Vec<String> =
                    found.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
                names.sort();
                names
            };
            let (done, refused) = (names(DONE), names(REFUSED));
            assert!(done.len() == 1 && done[0].ends_with("-good.jsonl"), "{done:?}");
            assert!(refused.len() == 2 && refused[0].ends_with("-bad.jsonl"), "{refused:?}");
            let words = fs::read_to_string(root.path().join(REFUSED).join(&refused[1])).expect("a reason");
            assert!(words.lines().count() == 2 && words.contains("3 rows"), "{words}");
            assert_eq!(names(TAKING), Vec::<String>::new());
            let told = opened.read("SELECT id FROM raw_thing ORDER BY id").await;
            assert!(told.contains("| 2  |") && told.contains("| 3  |") && !told.contains("| 1  |"), "{told}");
        });
    }
}

//! How fast the door is: `throughput [--threads N] [--parquet DIR] PIPELINE.toml FILE…`
//!
//! The vault is a table in memory. With `--parquet` each part is written as zstd Parquet too, which is what other
//! tools' "CSV to Parquet" does. Prints rows, bytes, seconds, and MB/s a thread.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, fs, thread};

use ingest::{Counts, Door, FileInput, KnownAt, Limits, Normalise, PersonConfig, Persons};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use schema::time::CampusClock;
use schema::{Holder, Identifier, Known, PersonKind, Pipeline, Pseudonyms, Seal, VaultError};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// 2027-01-01: later than anything simulated.
const NOW_US: i64 = 1_798_761_600_000_000;

#[derive(Default)]
struct Table {
    keys: Mutex<HashMap<(PersonKind, String), i64>>,
}

impl Pseudonyms for Table {
    fn keys(&self, kind: PersonKind, ids: &[&str]) -> Result<HashMap<String, Known>, VaultError> {
        let mut keys = self.keys.lock().map_err(|_| "another thread failed")?;
        let mut key = |id: &&str| {
            // Scattered, as minted keys are: the order of numbers must not be the order of keys.
            let minted = 100_000_000_000_000 + keys.len() as i64 * 7_919_999_983 % 899_999_999_999_981;
            ((*id).to_owned(), Known::Key(*keys.entry((kind, (*id).to_owned())).or_insert(minted)))
        };
        Ok(ids.iter().map(&mut key).collect())
    }

    fn remember(&self, _: PersonKind, _: &[(i64, &str, &str)]) -> Result<(), VaultError> {
        Ok(())
    }

    fn holders(&self, _: PersonKind, _: &str, _: &str) -> Result<Vec<Holder>, VaultError> {
        Ok(Vec::new())
    }

    fn identify(&self, _: PersonKind, _: &[Identifier<'_>]) -> Result<u64, VaultError> {
        Ok(0)
    }
}

impl Seal for Table {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        plain.to_vec()
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(sealed.to_vec())
    }
}

fn main() -> Result<(), Failure> {
    let mut threads = 1;
    let mut parquet: Option<PathBuf> = None;
    let mut paths = Vec::new();
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--threads" => threads = words.next().ok_or("--threads N")?.parse()?,
            "--parquet" => parquet = Some(words.next().ok_or("--parquet DIR")?.into()),
            _ => paths.push(PathBuf::from(word)),
        }
    }
    let [pipeline, files @ ..] = paths.as_slice() else { return Err("throughput PIPELINE.toml FILE…".into()) };
    let pipeline = Pipeline::parse(pipeline, &fs::read_to_string(pipeline)?)?;
    let config = |pattern: &str| PersonConfig {
        pattern: pattern.to_owned(),
        normalise: vec![Normalise::Trim, Normalise::Halfwidth, Normalise::StripExcel],
        ..PersonConfig::default()
    };
    let persons =
        Persons::new(&BTreeMap::from([(PersonKind::Student, config(r"20\d{8}")), (PersonKind::Staff, config(r"T\d{5}"))]))?;
    let table = Table::default();
    let begun = Instant::now();
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let work = || -> Result<(Counts, BTreeMap<String, u64>), Failure> {
        let mut counts = Counts::default();
        let mut reasons = BTreeMap::new();
        let door = Door {
            pipeline: &pipeline,
            clock: CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::from_hms_opt(4, 0, 0).ok_or("04:00")?),
            persons: &persons,
            pseudonyms: &table,
            seal: &table,
            now_us: NOW_US,
            known: KnownAt::Assumed,
            limits: Limits::default(),
        };
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(at) else { return Ok((counts, reasons)) };
            let file = FileInput { path, file_no: at as i64, display: path.to_str().unwrap_or("?") };
            let taken = door.take(&file, &|n| {
                bytes.fetch_add(n, Ordering::Relaxed);
            })?;
            counts += taken.counts;
            for (reason, n) in taken.reasons {
                *reasons.entry(reason).or_default() += n;
            }
            if let Some(folder) = &parquet {
                for part in &taken.parts {
                    write(folder, at, part)?;
                }
            }
        }
    };
    let results: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|it| it.join().map_err(|_| Failure::from("a thread failed"))?).collect()
    });
    let mut counts = Counts::default();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for result in results {
        let (of_thread, reasons_of_thread) = result?;
        counts += of_thread;
        for (reason, n) in reasons_of_thread {
            *reasons.entry(reason).or_default() += n;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let megabytes = bytes.into_inner() as f64 / 1e6;
    println!("{counts:?} {reasons:?}");
    println!(
        "{} files, {megabytes:.1} MB in {seconds:.2} s on {threads} threads: {:.0} MB/s and {:.2} M rows/s a thread",
        files.len(),
        megabytes / seconds / threads as f64,
        counts.rows_in as f64 / 1e6 / seconds / threads as f64,
    );
    Ok(())
}

fn write(folder: &Path, at: usize, part: &ingest::Part) -> Result<(), Failure> {
    let path = folder.join(format!("{}-{at}.parquet", part.day.unwrap_or_default()));
    let mut properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?));
    // Values that never repeat: trying a dictionary first costs time and makes them larger.
    for column in ["row_hash", "row_no", "txn_id", "event_seq"] {
        let path = ColumnPath::from(column);
        properties = properties.set_column_dictionary_enabled(path.clone(), false);
        if column != "row_hash" {
            properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    let properties = properties.build();
    let mut writer = ArrowWriter::try_new(fs::File::create(path)?, part.batch.schema(), Some(properties))?;
    writer.write(&part.batch)?;
    writer.close()?;
    Ok(())
}

//! Writes a campus and says how long it took: `campus OUT STUDENTS DAYS SEED`.

use std::time::Instant;

use simulate::{Config, write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [out, students, days, seed] = args.as_slice() else {
        return Err("usage: campus OUT STUDENTS DAYS SEED".into());
    };
    let config =
        Config { out: out.into(), students: students.parse()?, days: days.parse()?, seed: seed.parse()?, ..Config::default() };
    let begin = Instant::now();
    let manifest = write(&config, &mut |it| {
        if it.days_done % 10 == 0 {
            eprintln!("{} of {} days, {} rows", it.days_done, it.days, it.rows);
        }
    })?;
    let rows: u64 = manifest.rows.values().sum();
    println!("{rows} rows in {:.1} s", begin.elapsed().as_secs_f64());
    if let Some(peak) = std::fs::read_to_string("/proc/self/status")?.lines().find(|it| it.starts_with("VmHWM")) {
        println!("{peak}");
    }
    Ok(())
}

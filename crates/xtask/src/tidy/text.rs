//! Text of every file: no work left undone in words, no place of one machine, no stray white space.

use std::fs;
use std::path::Path;

/// Larger files make every clone slower for ever.
const BYTES_MAX: u64 = 1 << 20;

const UNDONE: [&str; 3] = ["TO\x44O", "FIX\x4dE", "X\x58X:"];
const PLACES: [&str; 3] = ["/ho\x6de/", "/ro\x6ft/", "/Us\x65rs/"];

pub(super) fn check(root: &Path, files: &[String]) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in files {
        let bytes = fs::read(root.join(path))?;
        if BYTES_MAX < bytes.len() as u64 {
            findings.push(format!("{path}: larger than {BYTES_MAX} bytes"));
        }
        let is_generated = path.ends_with(".lock") || path.ends_with("package-lock.json") || path.ends_with("schema.ts");
        let is_case = path.starts_with("tests/pipelines/");
        let Ok(text) = String::from_utf8(bytes) else { continue };
        if is_generated || is_case {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            let mut say = |what: &str| findings.push(format!("{path}:{}: {what}", index + 1));
            if line.ends_with([' ', '\t']) {
                say("white space at the end");
            }
            if line.contains('\t') && !path.ends_with("Makefile") {
                say("a tab");
            }
            if let Some(word) = UNDONE.iter().find(|it| line.contains(**it)) {
                say(&format!("{word}: do it, or file it"));
            }
            if let Some(place) = PLACES.iter().find(|it| line.contains(**it)) {
                say(&format!("{place} is a place of one machine"));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') && !path.ends_with(".svg") {
            findings.push(format!("{path}: the last line has no end"));
        }
    }
    Ok(findings)
}

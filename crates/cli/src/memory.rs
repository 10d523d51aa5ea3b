//! Peak memory of a stage, as the kernel counts it.

/// Begins a new count of the peak; where the kernel does not allow it the peak is that of the whole process.
pub(crate) fn begin_peak() {
    // 5 resets VmHWM of the process itself (proc(5)).
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Peak resident memory since the count began, in bytes; 0 where the kernel does not say.
pub(crate) fn peak_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|it| it.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<i64>().ok())
        .map_or(0, |kib| kib * 1024)
}

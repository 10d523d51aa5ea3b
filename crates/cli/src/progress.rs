//! Progress on long work: bars on a terminal, silence in a pipe.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Bars of a command, on standard error.
#[derive(Clone)]
pub(crate) struct Bars {
    bars: MultiProgress,
}

impl Bars {
    pub(crate) fn new() -> Self {
        Self { bars: MultiProgress::new() }
    }

    /// A bar over bytes.
    pub(crate) fn bytes(&self, name: &str, total: u64) -> ProgressBar {
        let style =
            ProgressStyle::with_template("{prefix:>22} {bar:30} {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12} 剩余 {eta}");
        self.bar(name, total, style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    /// A bar over steps.
    pub(crate) fn steps(&self, name: &str, total: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{prefix:>22} {bar:30} {pos}/{len} {msg}");
        self.bar(name, total, style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    fn bar(&self, name: &str, total: u64, style: ProgressStyle) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(total).with_style(style).with_prefix(name.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

//! `yizhan`: settings, wiring, schedule; one file a command.
fn main() {}

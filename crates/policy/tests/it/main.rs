//! Probes of the wall between people and the lake: what leaks, what passes, what is refused.

mod barrier;
mod campus;
mod leaks;
mod oracle;
mod parquet;
mod roles;
mod scopes;
mod statements;

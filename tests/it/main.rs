//! One integration binary: the real `yizhan` on real files, from exports at the door to rows in the lake.

mod bad_input;
mod import;
mod incremental;
mod policy;
mod readers;
mod restart;
mod serve;
mod support;
mod truth;
mod walk;

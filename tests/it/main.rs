//! One integration binary: the real `yizhan` on real files, from exports at the door to rows in the lake.

mod approval;
mod bad_input;
mod care;
mod cases;
mod casework;
mod cockpit;
mod database;
mod identifiers;
mod import;
mod incremental;
mod lists;
mod measures;
mod messages;
mod models;
mod policy;
mod quarantine;
mod reaching;
mod readers;
mod restart;
mod roles;
mod rollover;
mod serve;
mod support;
mod truth;
mod walk;
mod warnings;

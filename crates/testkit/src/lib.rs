//! What tests of several crates share: real servers of this machine.

pub mod postgres;

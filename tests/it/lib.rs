//! Nothing here: the cases stand in `main.rs` and its modules.

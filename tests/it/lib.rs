//! Nothing here: the cases are in `main.rs`.

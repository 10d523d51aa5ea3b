//! Measures that SQL says badly.

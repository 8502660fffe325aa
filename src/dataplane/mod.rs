//! The `dataplane` module.

//! The `gateway` module.

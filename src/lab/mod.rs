//! The `lab` module.

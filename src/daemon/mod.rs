//! The `daemon` module.

//! The `routing` module.

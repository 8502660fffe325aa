//! The `esp` module.

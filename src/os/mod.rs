//! The `os` module.

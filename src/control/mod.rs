//! The `control` module.

//! The `forward` module.

//! The `ike` module.

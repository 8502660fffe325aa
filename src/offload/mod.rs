//! The `offload` module.

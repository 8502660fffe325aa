//! Whole deployments, to which whatever operators and accidents can do is done.

use crate::testing::walk;

/// An octet for the deployment, then three for each step: what happens, to which gateway, and to which
/// other. What the reference model says should be reachable is, and nothing else (see `testing::walk`).
pub fn operations(bytes: &[u8]) {
    walk::directed(bytes);
}

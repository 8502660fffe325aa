//! What the scenarios share: two sites with a router between them, gateways of ours and of
//! others at their edges, and eyes on the wire.

pub(crate) mod adversity;
pub(crate) mod authority;
pub(crate) mod bird;
pub(crate) mod charon;
pub(crate) mod dns;
pub(crate) mod frr;
pub(crate) mod pair;
pub(crate) mod region;
pub(crate) mod schema;
pub(crate) mod script;
pub(crate) mod stage;
pub(crate) mod vpngwd;
pub(crate) mod wire;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take that should take a second or two; two cores may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(25);

/// Runs a program that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

/// Names for namespaces that no other scenario and no other run has.
pub(crate) fn unique_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("vt{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until something holds; false when it does not in time.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(GLANCE);
    }
    true
}

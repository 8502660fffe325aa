//! Where the program is that shares the kernel's table of connections with another host
//! (`conntrackd(8)`, of the conntrack-tools).

use std::path::Path;

/// Where it may be.
const PROGRAMS: [&str; 3] = ["/usr/sbin/conntrackd", "/sbin/conntrackd", "/usr/bin/conntrackd"];

/// The program, where it is installed.
pub fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| Path::new(program).exists())
}

//! vpngw: a site-to-site IPsec VPN gateway and region interconnect in user space.
//!
//! A folder here is either *pure* (no socket, file, thread, async, clock, operating-system
//! randomness, environment or process) or *shell*, never both. The pure part is the whole
//! gateway; the shell only moves values between it and Linux.
//!
//! ```text
//!              vpngwd                                  vpnctl        netns-tests
//!                │                                       │                │
//!  shell   daemon ─► dataplane ─► os                    cli              lab
//!  ══════════════ below this line nothing touches the world ══════════════════════
//!  floor 4   gateway            one state: inputs in, outputs out
//!  floor 3   routing  forward   config                control   (the operator's contract)
//!  floor 2   ike   esp   offload   routing::{bgp, rib, vrrp}
//!  floor 1   wire   crypto      codecs · algorithms
//!  floor 0   net   time   random   moment   values without a clock or dice of their own · visits
//! ```

// floor 0
pub mod moment;
pub mod net;
pub mod random;
pub mod time;
pub mod visits;
// floor 1
pub mod crypto;
pub mod pki;
pub mod wire;
// floor 2
pub mod esp;
pub mod ike;
pub mod offload;
// floor 3
pub mod config;
pub mod control;
pub mod forward;
pub mod routing;
// floor 4
pub mod gateway;
// shell
pub mod cli;
pub mod config_file;
pub mod daemon;
pub mod dataplane;
pub mod lab;
pub mod os;

// for tests and fuzzers
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
#[allow(clippy::unwrap_used, reason = "all of it is tests, or what they need")]
mod testing;

//! The class of service of what the gateway itself says.

use crate::net::Dscp;
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::os::fd::AsFd;

/// What a socket sends is network control (CS6, RFC 4594 §3.1), unless its messages say otherwise.
///
/// # Errors
///
/// When the socket is not of this family.
pub fn mark_as_control(socket: &impl AsFd, ipv4: bool) -> io::Result<()> {
    let tos = i32::from(Dscp::CS6.put_into(0));
    match ipv4 {
        true => setsockopt(socket, sockopt::Ipv4Tos, &tos)?,
        false => setsockopt(socket, sockopt::Ipv6TClass, &tos)?,
    }
    Ok(())
}

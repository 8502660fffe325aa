//! In what tunnels go: both ends must take TCP where one may go in it, at the port where it is looked for.

use super::{Contradiction, Side};
use crate::net::Encapsulation;

/// What one side does in TCP the other must take.
pub(super) fn carrier(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let (here, there) = (one.peer.encapsulation, other.peer.encapsulation);
    if here == Encapsulation::Udp || !one.peer.initiate {
        return;
    }
    if there == Encapsulation::Udp {
        found.push(Contradiction {
            message: format!(
                "{a} may connect in TCP (encapsulation = \"{here}\"), and {b} takes only UDP from it"
            ),
            help: format!("write encapsulation = \"auto\" at {b}"),
        });
    } else if one.peer.tcp_port != other.config.gateway.tcp_port {
        let (port, listens) = (one.peer.tcp_port, other.config.gateway.tcp_port);
        found.push(Contradiction {
            message: format!("{a} connects to TCP port {port} of {b}, which listens on {listens}"),
            help: format!("write tcp_port = {listens} in the [[peer]] of {a}"),
        });
    }
}

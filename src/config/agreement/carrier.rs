//! In what and where tunnels go: both ends must take TCP where one may go in it, at the port where it is looked
//! for; and who knows several addresses of the other must begin, to measure them.

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

/// Who begins an IKE SA measures the addresses of the other side.
pub(super) fn measured(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let has_several = |side: Side<'_>| side.peer.places().nth(1).is_some();
    let begins = |side: Side<'_>| side.peer.initiate && side.peer.is_placed();
    if has_several(one) && !has_several(other) && begins(one) && begins(other) {
        let (a, b) = (one.name(), other.name());
        found.push(Contradiction {
            message: format!(
                "{a} measures the addresses of {b}, and goes to the better one, only while {b} has not begun \
                 the IKE SA, and both may begin"
            ),
            help: format!("write initiate = false in the [[peer]] of {b}"),
        });
    }
}

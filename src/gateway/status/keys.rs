//! The keys of a peer's SAs, for whoever reads a capture. Who may ask is the shell's business; that
//! somebody did is an event.

use crate::config::PeerConfig;
use crate::control::{Code, EspKeysView, IkeKeysView, KeyText, KeysView, Reply};
use crate::crypto::secret::Secret;
use crate::gateway::diagnosis::Fact;
use crate::gateway::sas::Child;
use crate::gateway::{Gateway, connection};
use crate::ike::{IkeSecrets, Role};
use crate::net::PeerId;
use crate::time::Timestamp;

impl Gateway {
    /// Tells the keys of the SAs that a peer has now.
    pub(super) fn keys(&mut self, peer: PeerId, now: Timestamp) -> Reply {
        let gateway = self.config.gateway.name.clone();
        let (Some(tunnel), Some(config)) =
            (self.tunnels.get_mut(&peer), self.config.peers.get(&peer))
        else {
            return self.no_such_peer("");
        };
        let text = "an operator has been told the keys of its SAs (vpnctl capture --keys)";
        tunnel.tell(Fact::new(Code::KeysTold, text), now);
        let ike = self.ike.secrets(connection::id(config.remote));
        let children = tunnel.sas.children().map(|(_, child)| child);
        Reply::Keys(view(gateway, config, &ike, children))
    }
}

fn view<'c>(
    gateway: String,
    config: &PeerConfig,
    ike: &[IkeSecrets],
    children: impl Iterator<Item = &'c Child>,
) -> KeysView {
    KeysView {
        gateway,
        peer: config.name.clone(),
        ike: ike.iter().map(of_ike_sa).collect(),
        esp: children.flat_map(of_child_sa).collect(),
    }
}

fn of_ike_sa(ike: &IkeSecrets) -> IkeKeysView {
    let (local, remote) = (ike.id.local.to_string(), ike.id.remote.to_string());
    let (ours, theirs) = (text(&ike.ours), text(&ike.theirs));
    let (initiator_spi, responder_spi, initiator, responder) = match ike.role {
        Role::Initiator => (local, remote, ours, theirs),
        Role::Responder => (remote, local, theirs, ours),
    };
    let suite = ike.suite.to_string();
    IkeKeysView { initiator_spi, responder_spi, suite, initiator, responder }
}

fn of_child_sa(child: &Child) -> [EspKeysView; 2] {
    let (local, remote) = (child.local.ip().to_canonical(), child.remote.ip().to_canonical());
    let (inbound, outbound) = (&child.inbound, &child.outbound);
    let view = |from, to, spi: String, keymat| EspKeysView {
        from,
        to,
        spi,
        suite: child.suite.to_string(),
        key: text(keymat),
    };
    [
        view(remote, local, inbound.spi().to_string(), inbound.keymat()),
        view(local, remote, outbound.spi().to_string(), outbound.keymat()),
    ]
}

fn text(key: &Secret) -> KeyText {
    KeyText::from(key.as_bytes())
}

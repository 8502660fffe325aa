//! Why there is no Child SA, for operators.

use super::{Fact, listed, of_disabled, of_disabled_by_peer, proposal};
use crate::config::PeerConfig;
use crate::control::Code;
use crate::ike::ChildRefusal;

pub(super) fn of_child(refusal: &ChildRefusal, text: String, peer: &PeerConfig) -> Fact {
    match refusal {
        ChildRefusal::Proposal(why) => proposal(Code::EspProposal, text, why, "esp_suites", peer),
        ChildRefusal::Selectors(_) => Fact::new(Code::TrafficSelectors, text)
            .ours(format!("{} ↔ {}", listed(&peer.local_ts), listed(&peer.remote_ts)))
            .remedy("`local_ts` and `remote_ts`, or the prefixes that they follow from, must mirror those of the peer"),
        ChildRefusal::Slot { asked, ours } => Fact::new(Code::VpcName, text)
            .sides(ours, asked)
            .remedy(format!("call the VPC {asked:?} on both sides, or add it to {} here", peer.gateway)),
        ChildRefusal::NoAggfrag => Fact::new(Code::EspProposal, text)
            .remedy("write `aggfrag = true` at the peer, or leave `constant_rate` out here"),
        ChildRefusal::Disabled(_) => of_disabled(text, peer),
        ChildRefusal::DisabledByPeer => of_disabled_by_peer(text, peer),
        ChildRefusal::Notified(_) => Fact::new(Code::PeerNotified, text)
            .remedy("look into the peer's log for why it refused"),
        ChildRefusal::Breach(_) | ChildRefusal::PublicValue => {
            Fact::new(Code::ProtocolBreach, text)
        }
    }
}

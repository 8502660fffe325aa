//! What operators hear of names.

use super::super::Gateway;
use super::super::diagnosis::Fact;
use super::super::status::millis;
use crate::config::Meaning;
use crate::control::{Code, NameView};
use crate::net::{HostName, RemoteId};
use crate::time::Timestamp;
use std::net::IpAddr;

/// Why a name that resolves to something is of no use.
pub(super) fn of_no_use(host: &HostName, meaning: &Meaning) -> String {
    let complaints = meaning.complaints(host);
    match complaints.as_slice() {
        [] => format!("{host} has no address"),
        _ => format!("no address of {host} can be the peer's: {}", complaints.join("; ")),
    }
}

impl Gateway {
    /// A look-up has failed. It is a failure of tunnels that do not know where the peer is, and else
    /// something to note: what was known before goes on to hold.
    pub(super) fn tell_unresolved(&mut self, remote: RemoteId, why: String, now: Timestamp) {
        let place = self.place_of(remote);
        let Some(name) = self.places.name_of_mut(remote) else { return };
        let is_known = name.failure.as_ref() == Some(&why);
        name.failure = Some(why.clone());
        let host = name.host.clone();
        for peer in self.remotes.get(&remote).cloned().unwrap_or_default() {
            let fact = Fact::new(Code::NameUnresolved, why.clone())
                .remedy(format!("getent ahosts {host} here: it must show where the peer is"));
            let Some(tunnel) = self.tunnels.get_mut(&peer) else { continue };
            match place {
                None => tunnel.tell(fact, now),
                Some(_) if !is_known => tunnel.note(fact, now),
                Some(_) => {}
            }
            self.dirty.told.insert(peer);
        }
    }

    /// A name means something else than `before`.
    pub(super) fn tell_meaning(&mut self, remote: RemoteId, before: &Meaning, now: Timestamp) {
        let Some(name) = self.places.name_of(remote) else { return };
        let (host, meaning) = (&name.host, &name.meaning);
        let mut facts = Vec::new();
        if meaning.addresses() != before.addresses() {
            let now = listed(&meaning.usable);
            let text = match before.usable.as_slice() {
                [] => format!("{host} is {now}"),
                before => format!("{host} is {now} now, and was {}", listed(before)),
            };
            facts.push(Fact::new(Code::NameChanged, text));
        }
        let complaints = meaning.complaints(host);
        if !complaints.is_empty() && complaints != before.complaints(host) {
            let fact = Fact::new(Code::NameSuspect, complaints.join("; "));
            facts.push(fact.remedy(format!("have {host} mean the peer's addresses alone")));
        }
        for peer in self.remotes.get(&remote).cloned().unwrap_or_default() {
            if let Some(tunnel) = self.tunnels.get_mut(&peer) {
                facts.iter().for_each(|fact| tunnel.note(fact.clone(), now));
                self.dirty.told.insert(peer);
            }
        }
    }

    /// What is known of a remote gateway's name.
    pub(in crate::gateway) fn name_view(
        &self,
        remote: RemoteId,
        now: Timestamp,
    ) -> Option<NameView> {
        let name = self.places.name_of(remote)?;
        Some(NameView {
            name: name.host.to_string(),
            addresses: name.meaning.usable.clone(),
            complaints: name.meaning.complaints(&name.host),
            failure: name.failure.clone(),
            looked_up_ago_ms: name.answered.map(|at| millis(now.since(at))),
            next_look_up_in_ms: name.due.map(|at| millis(at - now)),
        })
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

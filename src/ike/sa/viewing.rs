//! An IKE SA as an operator sees it.

use super::super::view::{ChildView, IkeSecrets, IkeView};
use super::Established;
use super::children::ChildState;

impl Established {
    /// What protects its messages, for whoever reads a capture.
    pub(crate) fn secrets(&self) -> IkeSecrets {
        let keys = &self.exchanges.keys;
        IkeSecrets {
            id: self.id(),
            role: self.role(),
            suite: self.suite(),
            ours: keys.seal.keymat().clone(),
            theirs: keys.open.keymat().clone(),
        }
    }

    /// The IKE SA as an operator sees it.
    pub(crate) fn view(&self) -> IkeView {
        let path = self.path.path();
        let children = self.children.iter().map(|(child, sa)| ChildView {
            slot: sa.slot,
            child,
            inbound: sa.inbound,
            outbound: sa.outbound,
            suite: sa.suite,
            local_ts: sa.traffic.local.clone(),
            remote_ts: sa.traffic.remote.clone(),
            installed_at: sa.installed_at,
            rekey_at: sa.rekey_at,
            expires_at: sa.expires_at,
            in_use: sa.state == ChildState::Installed,
        });
        IkeView {
            id: self.id(),
            role: self.role(),
            suite: self.suite(),
            additional: self.additional,
            covered_in_full: self.descent.covered_in_full,
            ppk_in_use: self.descent.ppk_in_use,
            local: path.local,
            remote: path.remote,
            remote_id: self.remote_id().clone(),
            certificate: self.vouching.certificate.clone(),
            nat: self.path.nat(),
            established_at: self.established_at(),
            rekey_at: self.life.rekey_at,
            last_heard: self.liveness.last_heard(),
            round_trip: self.round_trip(),
            children: children.collect(),
        }
    }
}

//! Slots: which Child SAs each slot of each connection sends on, whose each Child SA is, and how
//! both sides call a slot.
//!
//! Two slots may have the same traffic selectors, as two VPCs with the same prefixes have. So an
//! initiator names the slot, in a notification of the private-use range (RFC 7296 §3.10.1). Only
//! a peer that has announced our Vendor ID in IKE_SA_INIT (RFC 7296 §3.12) ever sees it.

use super::config::{ConnectionId, SlotId};
use super::event::{ChildId, Strand};
use super::payloads::{Payloads, notify};
use super::state::state_of_fields;
use crate::wire::ike::{NotifyType, Payload};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// "I name slots."
const VENDOR_ID: &[u8] = b"vpngw: Child SAs by name, 1";
/// Notify Message Type that carries a slot's name, of the range for private use.
const SLOT_NAME: NotifyType = NotifyType(50_207);

/// Notify Message Type of an error, of the range for private use: the operator has disabled the peer,
/// or the slot. Who does not know it takes it for a failure (RFC 7296 §3.10.1).
pub(super) const DISABLED: NotifyType = NotifyType(8_207);

/// Announces that we name slots, and understand names.
pub(super) fn vendor_id() -> Payload {
    Payload::VendorId(VENDOR_ID.to_vec())
}

/// Whether the sender of these payloads names slots.
pub(super) fn are_named_by_sender(payloads: Payloads<'_>) -> bool {
    payloads.0.iter().any(|payload| matches!(payload, Payload::VendorId(id) if id == VENDOR_ID))
}

/// The name of a slot, for a peer that understands it.
pub(super) fn name(name: &str) -> Payload {
    notify(SLOT_NAME, name.as_bytes())
}

/// The name of the slot that the peer means. Octets that are no text name nothing that we have.
pub(super) fn named(payloads: Payloads<'_>) -> Option<Cow<'_, str>> {
    payloads.notify(SLOT_NAME).map(|notify| String::from_utf8_lossy(&notify.data))
}

/// The Child SAs of all connections, as their owner knows them. Only IKE SAs and the endpoint
/// change it, at the moment at which they tell the owner.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Slots {
    owners: BTreeMap<ChildId, Owner>,
    sending: BTreeMap<Strand, ChildId>,
}

/// Whose a Child SA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub connection: ConnectionId,
    pub slot: SlotId,
    pub strand: Strand,
}

impl Slots {
    /// A Child SA is there, in the place of another or as the first of its strand, which it is
    /// told. The slot sends on it from now on if it is `sendable`.
    pub(super) fn insert(
        &mut self,
        child: ChildId,
        (connection, slot): (ConnectionId, SlotId),
        replaces: Option<ChildId>,
        sendable: bool,
    ) -> Strand {
        let replaced = replaces.and_then(|old| self.owner(old)).map(|old| old.strand);
        let strand = replaced.unwrap_or(Strand(child));
        self.owners.insert(child, Owner { connection, slot, strand });
        if sendable {
            self.send_on(child);
        }
        strand
    }

    /// The strand of `child` sends on it from now on.
    pub(super) fn send_on(&mut self, child: ChildId) {
        if let Some(owner) = self.owners.get(&child) {
            self.sending.insert(owner.strand, child);
        }
    }

    /// A Child SA is gone.
    pub(super) fn remove(&mut self, child: ChildId) {
        if let Some(owner) = self.owners.remove(&child)
            && self.sending(owner.strand) == Some(child)
        {
            self.sending.remove(&owner.strand);
        }
    }

    /// Whose a Child SA is.
    pub(super) fn owner(&self, child: ChildId) -> Option<Owner> {
        self.owners.get(&child).copied()
    }

    /// The Child SA that a strand sends on.
    pub(super) fn sending(&self, strand: Strand) -> Option<ChildId> {
        self.sending.get(&strand).copied()
    }
}

state_of_fields!(Owner { connection, slot, strand });
state_of_fields!(Slots { owners, sending });

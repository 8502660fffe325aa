//! UPDATE, read (RFC 4271 §4.3 and §6.3) with the graded error handling of RFC 7606: discard the
//! attribute, treat the message as a withdrawal, or end the session.

mod gather;

use super::{Context, prefixes};
use crate::routing::bgp::{Announcement, AttributeFault, Cause, Family, Update};
use gather::{Gathered, MpReach};
use std::sync::Arc;

/// The three sections of an UPDATE.
struct Sections<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    nlri: &'a [u8],
}

/// Reads the body of an UPDATE.
pub(super) fn decode(body: &[u8], context: &Context) -> Result<Update, Cause> {
    let sections = split(body).ok_or(Cause::MalformedAttributeList)?;
    let withdrawn = unicast(sections.withdrawn)?;
    let announced = unicast(sections.nlri)?;
    let mut gathered = Gathered::from_list(sections.attributes, context)?;

    let mut update = Update {
        end_of_rib: end_of_rib(&sections, &gathered),
        discarded: gathered.discarded,
        ignored: withdrawn.ignored + announced.ignored + gathered.ignored,
        withdrawn: withdrawn.unicast,
        ..Update::default()
    };
    update.withdrawn.append(&mut gathered.mp_unreach);
    let reach = gathered.mp_reach.take();
    let classic = announced.unicast;
    let any_reachable = !sections.nlri.is_empty() || reach.is_some();
    if any_reachable {
        gathered.require(!sections.nlri.is_empty(), context);
    } else if gathered.fault.is_some() {
        // RFC 7606 §5.2: with nothing to withdraw, the routes concerned cannot be known.
        return Err(Cause::MalformedAttributeList);
    }
    if let Some(fault) = gathered.fault {
        treat_as_withdraw(&mut update, fault, classic, reach);
    } else {
        announce(&mut update, gathered, classic, reach);
    }
    Ok(update)
}

fn split(body: &[u8]) -> Option<Sections<'_>> {
    let (withdrawn, rest) = sized(body)?;
    let (attributes, nlri) = sized(rest)?;
    Some(Sections { withdrawn, attributes, nlri })
}

/// What a two-octet length in front covers, and the rest.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

fn unicast(bytes: &[u8]) -> Result<prefixes::Prefixes, Cause> {
    prefixes::decode(bytes, Family::Ipv4).ok_or(Cause::InvalidNetworkField)
}

/// RFC 4724 §2: an empty UPDATE for IPv4 unicast, an empty MP_UNREACH_NLRI alone for others.
fn end_of_rib(sections: &Sections<'_>, gathered: &Gathered) -> Option<Family> {
    let no_prefix = sections.withdrawn.is_empty() && sections.nlri.is_empty();
    match (no_prefix, sections.attributes.is_empty()) {
        (true, true) => Some(Family::Ipv4),
        (true, false) => gathered.end_of_rib,
        (false, _) => None,
    }
}

fn treat_as_withdraw(
    update: &mut Update,
    fault: AttributeFault,
    classic: Vec<crate::net::Prefix>,
    reach: Option<MpReach>,
) {
    update.fault = Some(fault);
    update.withdrawn.extend(classic);
    update.withdrawn.extend(reach.map(|reach| reach.prefixes).unwrap_or_default());
}

fn announce(
    update: &mut Update,
    gathered: Gathered,
    classic: Vec<crate::net::Prefix>,
    reach: Option<MpReach>,
) {
    let classic_hop = gathered.next_hop;
    let Some(attributes) = gathered.into_attributes() else { return };
    let mut add = |next_hop, prefixes: Vec<_>| {
        if !prefixes.is_empty() {
            let attributes =
                Arc::new(crate::routing::attributes::Attributes { next_hop, ..attributes.clone() });
            update.announced.push(Announcement { attributes, prefixes });
        }
    };
    if let Some(next_hop) = classic_hop {
        add(next_hop.into(), classic);
    }
    if let Some(reach) = reach {
        add(reach.next_hop, reach.prefixes);
    }
}

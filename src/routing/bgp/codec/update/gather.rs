//! The attribute list of one UPDATE, attribute by attribute: what each says, and what RFC 7606 §3
//! and §7 make of one that is wrong.

mod values;

use super::super::{Context, prefixes};
use crate::net::{Asn, Prefix};
use crate::routing::attributes::{
    Aggregator, AsPath, Attributes, Origin, Reflection, TransitiveAttribute,
};
use crate::routing::bgp::{AS_TRANS, AttributeFault, Cause, Family};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const PARTIAL: u8 = 0x20;
const EXTENDED_LENGTH: u8 = 0x10;

/// Attribute type codes (IANA "BGP Path Attributes") that have a meaning here.
mod code {
    pub(super) const ORIGIN: u8 = 1;
    pub(super) const AS_PATH: u8 = 2;
    pub(super) const NEXT_HOP: u8 = 3;
    pub(super) const MULTI_EXIT_DISC: u8 = 4;
    pub(super) const LOCAL_PREF: u8 = 5;
    pub(super) const ATOMIC_AGGREGATE: u8 = 6;
    pub(super) const AGGREGATOR: u8 = 7;
    pub(super) const COMMUNITIES: u8 = 8;
    pub(super) const ORIGINATOR_ID: u8 = 9;
    pub(super) const CLUSTER_LIST: u8 = 10;
    pub(super) const MP_REACH_NLRI: u8 = 14;
    pub(super) const MP_UNREACH_NLRI: u8 = 15;
    pub(super) const EXTENDED_COMMUNITIES: u8 = 16;
    pub(super) const AS4_PATH: u8 = 17;
    pub(super) const AS4_AGGREGATOR: u8 = 18;
    pub(super) const LARGE_COMMUNITIES: u8 = 32;
    pub(super) const ONLY_TO_CUSTOMER: u8 = 35;
}

/// One attribute, cut out of the list.
struct RawAttribute<'a> {
    flags: u8,
    code: u8,
    /// From the length field on, as the value decoders want it.
    sized: &'a [u8],
    body: &'a [u8],
    whole: &'a [u8],
}

/// What MP_REACH_NLRI makes reachable, and by what next hop.
pub(super) struct MpReach {
    pub next_hop: IpAddr,
    pub prefixes: Vec<Prefix>,
}

/// What is known of the attributes so far.
#[derive(Default)]
pub(super) struct Gathered {
    seen: BTreeSet<u8>,
    origin: Option<Origin>,
    as_path: Option<AsPath>,
    as4_path: Option<AsPath>,
    pub next_hop: Option<Ipv4Addr>,
    med: Option<u32>,
    local_preference: Option<u32>,
    atomic_aggregate: bool,
    aggregator: Option<Aggregator>,
    as4_aggregator: Option<Aggregator>,
    originator: Option<Ipv4Addr>,
    clusters: Vec<Ipv4Addr>,
    transitive: Vec<TransitiveAttribute>,
    pub mp_reach: Option<MpReach>,
    pub mp_unreach: Vec<Prefix>,
    pub end_of_rib: Option<Family>,
    /// The first fault for which the routes are withdrawn.
    pub fault: Option<AttributeFault>,
    pub discarded: u32,
    pub ignored: u32,
}

/// What to do about an attribute that is wrong, the mildest first (RFC 7606 §2).
enum Treatment {
    Discard,
    Withdraw(AttributeFault),
    Reset(Cause),
}

impl Gathered {
    /// Reads the whole list.
    pub(super) fn from_list(mut list: &[u8], context: &Context) -> Result<Gathered, Cause> {
        let mut gathered = Gathered::default();
        while !list.is_empty() {
            let Some((attribute, rest)) = split_attribute(list) else {
                gathered.fault.get_or_insert(AttributeFault::Overrun);
                break;
            };
            list = rest;
            match gathered.take(&attribute, context) {
                Ok(()) => {}
                Err(Treatment::Discard) => gathered.discarded += 1,
                Err(Treatment::Withdraw(fault)) => {
                    gathered.fault.get_or_insert(fault);
                }
                Err(Treatment::Reset(cause)) => return Err(cause),
            }
        }
        let only_unreach = gathered.seen.iter().eq([&code::MP_UNREACH_NLRI]);
        gathered.end_of_rib = gathered.end_of_rib.filter(|_| only_unreach);
        gathered.transitive.sort();
        Ok(gathered)
    }

    fn take(&mut self, attribute: &RawAttribute<'_>, context: &Context) -> Result<(), Treatment> {
        if !self.seen.insert(attribute.code) {
            return Err(duplicate(attribute.code));
        }
        let taken = self.take_value(attribute, context);
        match expected_flags(attribute.code) {
            Some(expected) if attribute.flags & (OPTIONAL | TRANSITIVE) != expected => {
                taken?;
                Err(Treatment::Withdraw(AttributeFault::Flags(attribute.code)))
            }
            _ => taken,
        }
    }

    fn take_value(
        &mut self,
        attribute: &RawAttribute<'_>,
        context: &Context,
    ) -> Result<(), Treatment> {
        let RawAttribute { sized, body, .. } = *attribute;
        let malformed = || Treatment::Withdraw(AttributeFault::Malformed(attribute.code));
        match attribute.code {
            code::ORIGIN => self.origin = Some(values::origin(sized).ok_or_else(malformed)?),
            code::AS_PATH => {
                let path = values::as_path(sized, attribute.extended(), context.four_octet);
                self.as_path = Some(path.ok_or_else(malformed)?);
            }
            code::NEXT_HOP => {
                let next_hop = values::next_hop(sized, attribute.extended());
                self.next_hop = Some(next_hop.ok_or_else(malformed)?);
            }
            code::MULTI_EXIT_DISC => self.med = Some(values::number(body).ok_or_else(malformed)?),
            // RFC 7606 §7.5: not from another AS.
            code::LOCAL_PREF if !context.internal => return Err(Treatment::Discard),
            code::LOCAL_PREF => {
                self.local_preference = Some(values::number(body).ok_or_else(malformed)?);
            }
            code::ATOMIC_AGGREGATE if body.is_empty() => self.atomic_aggregate = true,
            code::ATOMIC_AGGREGATE => return Err(Treatment::Discard),
            code::AGGREGATOR => {
                let aggregator = values::aggregator(body, context.four_octet);
                self.aggregator = Some(aggregator.ok_or(Treatment::Discard)?);
            }
            // RFC 6793 §6: between four-octet speakers these have no place.
            code::AS4_PATH | code::AS4_AGGREGATOR if context.four_octet => {
                return Err(Treatment::Discard);
            }
            code::AS4_PATH => {
                let path = values::as_path(sized, attribute.extended(), true);
                self.as4_path = Some(path.ok_or(Treatment::Discard)?);
            }
            code::AS4_AGGREGATOR => {
                self.as4_aggregator =
                    Some(values::aggregator(body, true).ok_or(Treatment::Discard)?);
            }
            code::COMMUNITIES => self.carry_list(attribute, 4)?,
            code::EXTENDED_COMMUNITIES => self.carry_list(attribute, 8)?,
            code::LARGE_COMMUNITIES => self.carry_list(attribute, 12)?,
            // RFC 9234 §5: "a length other than 4" is malformed, and withdraws.
            code::ONLY_TO_CUSTOMER if body.len() != 4 => return Err(malformed()),
            code::ONLY_TO_CUSTOMER => self.carry(attribute, attribute.flags & PARTIAL != 0),
            // RFC 7606 §7.9-§7.10: not from another AS.
            code::ORIGINATOR_ID | code::CLUSTER_LIST if !context.internal => {
                return Err(Treatment::Discard);
            }
            code::ORIGINATOR_ID => {
                let originator = values::number(body).ok_or_else(malformed)?;
                self.originator = Some(originator.into());
            }
            code::CLUSTER_LIST => self.clusters = values::clusters(body).ok_or_else(malformed)?,
            code::MP_REACH_NLRI => self.take_mp_reach(attribute, context)?,
            code::MP_UNREACH_NLRI => self.take_mp_unreach(attribute, context)?,
            _ => self.take_unknown(attribute)?,
        }
        Ok(())
    }

    /// A list of `size`-octet communities: not interpreted, but never carried on broken
    /// (RFC 7606 §7.8, §7.14; RFC 8092 §6).
    fn carry_list(&mut self, attribute: &RawAttribute<'_>, size: usize) -> Result<(), Treatment> {
        if attribute.body.is_empty() || !attribute.body.len().is_multiple_of(size) {
            return Err(Treatment::Withdraw(AttributeFault::Malformed(attribute.code)));
        }
        self.carry(attribute, attribute.flags & PARTIAL != 0);
        Ok(())
    }

    /// RFC 4271 §5 and §9: unknown and transitive is carried on, marked partial; unknown and not
    /// transitive is dropped; well-known cannot be unknown.
    fn take_unknown(&mut self, attribute: &RawAttribute<'_>) -> Result<(), Treatment> {
        match (attribute.flags & OPTIONAL != 0, attribute.flags & TRANSITIVE != 0) {
            (false, _) => {
                let cause = Cause::UnrecognizedWellKnown(attribute.whole.to_vec());
                return Err(Treatment::Reset(cause));
            }
            (true, true) => self.carry(attribute, true),
            (true, false) => {}
        }
        Ok(())
    }

    fn carry(&mut self, attribute: &RawAttribute<'_>, partial: bool) {
        let RawAttribute { code, body, .. } = *attribute;
        self.transitive.push(TransitiveAttribute { code, partial, body: body.to_vec() });
    }

    /// RFC 4760 §3. A family that was not agreed is ignored (§7).
    fn take_mp_reach(
        &mut self,
        attribute: &RawAttribute<'_>,
        context: &Context,
    ) -> Result<(), Treatment> {
        let broken = || attribute.broken_multiprotocol();
        let (family, rest) = values::afi_safi(attribute.body).ok_or_else(broken)?;
        let (next_hop, nlri) = values::sized_next_hop(rest).ok_or_else(broken)?;
        let Some(family) = family.filter(|family| context.families.contains(family)) else {
            self.ignored += 1;
            return Ok(());
        };
        let next_hop =
            values::mp_next_hop(next_hop, family, context.extended_next_hop).ok_or_else(broken)?;
        let prefixes = prefixes::decode(nlri, family).ok_or_else(broken)?;
        self.ignored += prefixes.ignored;
        self.mp_reach = Some(MpReach { next_hop, prefixes: prefixes.unicast });
        Ok(())
    }

    /// RFC 4760 §4.
    fn take_mp_unreach(
        &mut self,
        attribute: &RawAttribute<'_>,
        context: &Context,
    ) -> Result<(), Treatment> {
        let broken = || attribute.broken_multiprotocol();
        let (family, nlri) = values::afi_safi(attribute.body).ok_or_else(broken)?;
        let Some(family) = family.filter(|family| context.families.contains(family)) else {
            self.ignored += 1;
            return Ok(());
        };
        let prefixes = prefixes::decode(nlri, family).ok_or_else(broken)?;
        self.end_of_rib = nlri.is_empty().then_some(family);
        self.ignored += prefixes.ignored;
        self.mp_unreach = prefixes.unicast;
        Ok(())
    }

    /// Notes a mandatory attribute that is missing (RFC 4271 §5, RFC 7606 §3 d).
    pub(super) fn require(&mut self, classic_nlri: bool, context: &Context) {
        let present = [
            (code::ORIGIN, self.origin.is_some()),
            (code::AS_PATH, self.as_path.is_some()),
            (code::NEXT_HOP, self.next_hop.is_some() || !classic_nlri),
            (code::LOCAL_PREF, self.local_preference.is_some() || !context.internal),
        ];
        let missing = present.into_iter().find(|(_, present)| !present);
        if let Some((code, _)) = missing {
            self.fault.get_or_insert(AttributeFault::Missing(code));
        }
    }

    /// The attributes of the path, with the AS numbers of both worlds merged (RFC 6793 §4.2.3).
    pub(super) fn into_attributes(self) -> Option<Attributes> {
        let as_path = self.as_path?;
        // An aggregator that is not AS_TRANS was written by an old speaker after the new ones:
        // what they left in AS4_* is then out of date.
        let stale = self.aggregator.is_some_and(|old| old.asn != Asn(AS_TRANS.into()))
            && self.as4_aggregator.is_some();
        let as_path = match self.as4_path {
            Some(as4_path) if !stale => values::merge(as_path, as4_path),
            _ => as_path,
        };
        let aggregator =
            if stale { self.aggregator } else { self.as4_aggregator.or(self.aggregator) };
        let reflection = Reflection { originator: self.originator, clusters: self.clusters };
        Some(Attributes {
            origin: self.origin?,
            as_path,
            next_hop: Ipv4Addr::UNSPECIFIED.into(),
            med: self.med,
            local_preference: self.local_preference,
            atomic_aggregate: self.atomic_aggregate,
            aggregator,
            reflection: (reflection != Reflection::default()).then(|| Box::new(reflection)),
            transitive: self.transitive,
        })
    }
}

impl RawAttribute<'_> {
    fn extended(&self) -> bool {
        self.flags & EXTENDED_LENGTH != 0
    }

    fn broken_multiprotocol(&self) -> Treatment {
        Treatment::Reset(Cause::MalformedMultiprotocol(self.whole.to_vec()))
    }
}

/// The first attribute of a list and the rest; `None` when it overruns the list.
fn split_attribute(list: &[u8]) -> Option<(RawAttribute<'_>, &[u8])> {
    let [flags, code, sized @ ..] = list else { return None };
    let (length, after) = if flags & EXTENDED_LENGTH != 0 {
        let (length, after) = sized.split_first_chunk::<2>()?;
        (usize::from(u16::from_be_bytes(*length)), after)
    } else {
        let (length, after) = sized.split_first()?;
        (usize::from(*length), after)
    };
    let (body, rest) = after.split_at_checked(length)?;
    let (sized, _) = sized.split_at(sized.len() - rest.len());
    let (whole, _) = list.split_at(list.len() - rest.len());
    Some((RawAttribute { flags: *flags, code: *code, sized, body, whole }, rest))
}

/// RFC 7606 §3 g: the first counts, but there may be no two sets of multiprotocol routes.
fn duplicate(code: u8) -> Treatment {
    match code {
        code::MP_REACH_NLRI | code::MP_UNREACH_NLRI => {
            Treatment::Reset(Cause::MalformedAttributeList)
        }
        _ => Treatment::Discard,
    }
}

/// The optional and transitive bits that an attribute must have.
fn expected_flags(code: u8) -> Option<u8> {
    match code {
        code::ORIGIN
        | code::AS_PATH
        | code::NEXT_HOP
        | code::LOCAL_PREF
        | code::ATOMIC_AGGREGATE => Some(TRANSITIVE),
        code::MULTI_EXIT_DISC
        | code::ORIGINATOR_ID
        | code::CLUSTER_LIST
        | code::MP_REACH_NLRI
        | code::MP_UNREACH_NLRI => Some(OPTIONAL),
        code::AGGREGATOR
        | code::COMMUNITIES
        | code::EXTENDED_COMMUNITIES
        | code::AS4_PATH
        | code::AS4_AGGREGATOR
        | code::LARGE_COMMUNITIES
        | code::ONLY_TO_CUSTOMER => Some(OPTIONAL | TRANSITIVE),
        _ => None,
    }
}

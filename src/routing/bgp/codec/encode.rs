//! Messages, written. UPDATEs are filled up to the largest message and put attributes in
//! ascending order, multiprotocol ones first (RFC 4271 §5, RFC 7606 §5.1).

mod attributes;

use super::{Context, prefixes};
use crate::net::{Asn, Prefix};
use crate::routing::attributes::Attributes;
use crate::routing::bgp::{AS_TRANS, Family, HEADER, MAX_MESSAGE, Notification, Open, Refresh};
use ipnetwork::IpNetwork;
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::capabilities::{
    BgpCapability, BgpRoleCapability, ExtendedNextHopEncoding, ExtendedNextHopEncodingCapability,
    FourOctetAsCapability, GracefulRestartAddressFamily, GracefulRestartCapability,
    MultiProtocolExtensionsCapability,
};
use netgauze_bgp_pkt::iana::{BgpRoleValue, RouteRefreshSubcode};
use netgauze_bgp_pkt::nlri::{Ipv4Unicast, Ipv4UnicastAddress, Ipv6Unicast, Ipv6UnicastAddress};
use netgauze_bgp_pkt::open::{BgpOpenMessage, BgpOpenMessageParameter};
use netgauze_bgp_pkt::path_attribute::PathAttribute;
use netgauze_bgp_pkt::route_refresh::BgpRouteRefreshMessage;
use netgauze_bgp_pkt::update::BgpUpdateMessage;
use netgauze_iana::address_family::{AddressFamily, AddressType};
use netgauze_parse_utils::WritablePdu;
use std::net::IpAddr;

/// Octets of an UPDATE that are neither attributes nor prefixes.
const UPDATE_FIXED: usize = HEADER + 4;

/// OPEN.
pub fn open(open: &Open) -> Vec<u8> {
    let multiprotocol = |family: &Family| {
        let address_type = MultiProtocolExtensionsCapability::new(address_type(*family));
        BgpCapability::MultiProtocolExtensions(address_type)
    };
    let mut capabilities: Vec<BgpCapability> = open.families.iter().map(multiprotocol).collect();
    let ours = &open.capabilities;
    if ours.extended_next_hop {
        let ipv4 = ExtendedNextHopEncoding::new(AddressType::Ipv4Unicast, AddressFamily::IPv6);
        let encodings = ExtendedNextHopEncodingCapability::new([ipv4]);
        capabilities.push(BgpCapability::ExtendedNextHopEncoding(encodings));
    }
    let flags = [
        (ours.route_refresh, BgpCapability::RouteRefresh),
        (ours.enhanced_refresh, BgpCapability::EnhancedRouteRefresh),
        (ours.extended_messages, BgpCapability::ExtendedMessage),
    ];
    capabilities.extend(flags.into_iter().filter_map(|(can, name)| can.then_some(name)));
    let roles = ours.roles.iter().filter_map(|role| BgpRoleValue::from_repr(*role));
    let role = |role| BgpCapability::BgpRole(BgpRoleCapability::new(role));
    capabilities.extend(roles.map(role));
    if let Some(restart) = &ours.graceful_restart {
        let forwards = restart.forwards.iter().map(|(family, forwards)| {
            GracefulRestartAddressFamily::new(*forwards, address_type(*family))
        });
        let forwards: Vec<GracefulRestartAddressFamily> = forwards.collect();
        let capability =
            GracefulRestartCapability::new(restart.restarted, false, restart.time, forwards);
        capabilities.push(BgpCapability::GracefulRestartCapability(capability));
    }
    if open.four_octet {
        capabilities.push(BgpCapability::FourOctetAs(FourOctetAsCapability::new(open.asn.0)));
    }
    let parameters = [BgpOpenMessageParameter::new_capabilities(capabilities)];
    let my_as = two_octet(open.asn);
    let message = BgpOpenMessage::new(my_as, open.hold_time, open.identifier, parameters);
    written(&BgpMessage::Open(message))
}

/// KEEPALIVE.
pub fn keepalive() -> Vec<u8> {
    written(&BgpMessage::KeepAlive)
}

/// NOTIFICATION. Written here: the library's values know only codes that are registered.
pub fn notification(notification: &Notification) -> Vec<u8> {
    let Notification { code, subcode, data } = notification;
    let room = MAX_MESSAGE - HEADER - 2;
    let data = data.get(..room).unwrap_or(data);
    let length = (HEADER + 2 + data.len()) as u16;
    [&[0xff; 16], length.to_be_bytes().as_slice(), &[3, *code, *subcode], data].concat()
}

/// The end of what is told of a family at first (RFC 4724 §2).
pub fn end_of_rib(family: Family) -> Vec<u8> {
    let list: Vec<PathAttribute> = match family {
        Family::Ipv4 => Vec::new(),
        Family::Ipv6 => attributes::mp_unreach(Vec::new()).into_iter().collect(),
    };
    written_update(BgpUpdateMessage::new(vec![], list, vec![]))
}

/// ROUTE-REFRESH (RFC 2918 §3, RFC 7313 §3.2).
pub fn route_refresh(family: Family, refresh: Refresh) -> Vec<u8> {
    let subtype = match refresh {
        Refresh::Wanted => RouteRefreshSubcode::NormalRequest,
        Refresh::Begins => RouteRefreshSubcode::BeginningOfRouteRefresh,
        Refresh::Ends => RouteRefreshSubcode::EndOfRouteRefresh,
    };
    let message = BgpRouteRefreshMessage::new(address_type(family), subtype);
    written(&BgpMessage::RouteRefresh(message))
}

/// UPDATEs that announce `prefixes`, all of `family`, with `attributes`; as few as hold them.
/// None when the attributes leave no room for a prefix (RFC 4271 §9.2: such a route is not
/// announced).
pub fn announcements(
    attributes: &Attributes,
    family: Family,
    prefixes: &[Prefix],
    context: &Context,
) -> Vec<Vec<u8>> {
    let common = attributes::common(attributes, context);
    let multiprotocol = |reach: Option<PathAttribute>| {
        let list: Vec<PathAttribute> = reach.into_iter().chain(common.iter().cloned()).collect();
        BgpUpdateMessage::new(vec![], list, vec![])
    };
    let message = |batch: &[Prefix]| match (family, attributes.next_hop) {
        (Family::Ipv4, IpAddr::V4(next_hop)) => {
            let list = attributes::with_next_hop(&common, next_hop);
            BgpUpdateMessage::new(vec![], list, ipv4(batch))
        }
        (Family::Ipv4, IpAddr::V6(next_hop)) => {
            multiprotocol(attributes::mp_reach_ipv4(next_hop, ipv4(batch)))
        }
        (Family::Ipv6, next_hop) => multiprotocol(attributes::mp_reach_ipv6(next_hop, ipv6(batch))),
    };
    let fixed = UPDATE_FIXED
        + common.iter().map(WritablePdu::len).sum::<usize>()
        + attributes::NEXT_HOP_LEN.max(attributes::MP_REACH_FIXED);
    batches(prefixes, context.longest().saturating_sub(fixed))
        .map(message)
        .map(written_update)
        .collect()
}

/// UPDATEs that withdraw `prefixes`, all of `family`; as few as hold them.
pub fn withdrawals(family: Family, prefixes: &[Prefix]) -> Vec<Vec<u8>> {
    let message = |batch: &[Prefix]| match family {
        Family::Ipv4 => BgpUpdateMessage::new(ipv4(batch), vec![], vec![]),
        Family::Ipv6 => {
            let list: Vec<PathAttribute> =
                attributes::mp_unreach(ipv6(batch)).into_iter().collect();
            BgpUpdateMessage::new(vec![], list, vec![])
        }
    };
    let fixed = UPDATE_FIXED + attributes::MP_UNREACH_FIXED;
    batches(prefixes, MAX_MESSAGE - fixed).map(message).map(written_update).collect()
}

/// `prefixes` in runs that fit so many octets. None at all when the longest prefix does not fit.
fn batches(prefixes: &[Prefix], room: usize) -> impl Iterator<Item = &[Prefix]> {
    let longest = prefixes.iter().map(prefixes::encoded_len).max().unwrap_or(0);
    let mut rest = if longest <= room { prefixes } else { &[] };
    std::iter::from_fn(move || {
        let mut used = 0;
        let fits = |prefix: &&Prefix| {
            used += prefixes::encoded_len(prefix);
            used <= room
        };
        let count = rest.iter().take_while(fits).count();
        let (batch, after) = rest.split_at(count);
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

/// An AS number as the old two-octet fields hold it (RFC 6793 §4.2.2).
fn two_octet(asn: Asn) -> u16 {
    u16::try_from(asn.0).unwrap_or(AS_TRANS)
}

fn address_type(family: Family) -> AddressType {
    match family {
        Family::Ipv4 => AddressType::Ipv4Unicast,
        Family::Ipv6 => AddressType::Ipv6Unicast,
    }
}

fn ipv4(batch: &[Prefix]) -> Vec<Ipv4UnicastAddress> {
    let address = |prefix: &Prefix| match prefix.network() {
        IpNetwork::V4(v4) => {
            let net = ipnet::Ipv4Net::new(v4.ip(), v4.prefix()).ok()?;
            Some(Ipv4UnicastAddress::new_no_path_id(Ipv4Unicast::from_net(net).ok()?))
        }
        IpNetwork::V6(_) => None,
    };
    batch.iter().filter_map(address).collect()
}

fn ipv6(batch: &[Prefix]) -> Vec<Ipv6UnicastAddress> {
    let address = |prefix: &Prefix| match prefix.network() {
        IpNetwork::V6(v6) => {
            let net = ipnet::Ipv6Net::new(v6.ip(), v6.prefix()).ok()?;
            Some(Ipv6UnicastAddress::new(None, Ipv6Unicast::from_net(net).ok()?))
        }
        IpNetwork::V4(_) => None,
    };
    batch.iter().filter_map(address).collect()
}

fn written_update(update: BgpUpdateMessage) -> Vec<u8> {
    written(&BgpMessage::Update(update))
}

/// Writing into memory cannot fail, and every length was bounded before.
fn written(message: &BgpMessage) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WritablePdu::len(message));
    match message.write(&mut bytes) {
        Ok(()) => bytes,
        Err(error) => {
            tracing::error!(%error, "a BGP message could not be written");
            Vec::new()
        }
    }
}

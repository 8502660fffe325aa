//! Checks of VPCs whose hosts live in VXLAN segments: a segment has a VNI and a network namespace of
//! its own, and its packets find their way beside the tunnels.

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::peer_section::Peer;
use super::vpc_section::Vpc;
use super::vxlan_section::Vxlan;
use crate::net::Prefix;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Everything that one `[vpc.vxlan]` alone cannot know.
pub(super) fn check(gateway: &Gateway, vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    let segments: Vec<(&Vpc, &Vxlan)> =
        vpcs.iter().filter_map(|vpc| Some((vpc, vpc.vxlan.as_ref()?))).collect();
    distinct(&segments, report);
    for (vpc, vxlan) in &segments {
        alone(vpc, vxlan, vpcs, report);
        ports(gateway, vxlan, report);
        if vxlan.config.interface == vpc.config.tun {
            let message = format!("{} is the name of the TUN device, too", vpc.config.tun);
            let fault = Fault::new(message).label("used twice in one namespace");
            report.add(vxlan.interface_span.clone(), fault.beside(vpc.tun_span.clone(), "here"));
        }
        beside_tunnels(vxlan, vpcs, peers, report);
    }
}

/// What comes in with a VNI belongs to one VPC.
fn distinct(segments: &[(&Vpc, &Vxlan)], report: &mut Report) {
    let mut seen: BTreeMap<u32, &Vxlan> = BTreeMap::new();
    for (_, vxlan) in segments {
        if let Some(first) = seen.insert(vxlan.config.vni, vxlan) {
            let fault = Fault::new(format!("VNI {} is used for two VPCs", vxlan.config.vni))
                .label("again here")
                .beside(first.vni_span.clone(), "first here")
                .help("a VNI is one VPC's: nothing else keeps their hosts apart");
            report.add(vxlan.vni_span.clone(), fault);
        }
    }
}

/// A VPC with a segment is a namespace: routes, neighbours and addresses of its hosts are then
/// nobody else's, whatever prefixes others use.
fn alone(vpc: &Vpc, vxlan: &Vxlan, vpcs: &[Vpc], report: &mut Report) {
    let name = &vpc.config.name;
    if vpc.config.netns.is_none() {
        let fault = Fault::new(format!("VPC {name:?} has a segment and no network namespace"))
            .label("its hosts would share the gateway's own routing")
            .help(format!(
                "add netns = \"{name}\" to its [[vpc]], and make it: ip netns add {name}"
            ));
        report.add(vxlan.span.clone(), fault);
        return;
    }
    let shares =
        |other: &&Vpc| !std::ptr::eq(*other, vpc) && other.config.netns == vpc.config.netns;
    if let Some(other) = vpcs.iter().find(shares) {
        let message = format!(
            "VPC {:?} is in the network namespace of VPC {name:?}, which has a segment",
            other.config.name
        );
        let fault = Fault::new(message)
            .label("here")
            .beside(vxlan.span.clone(), "its segment")
            .help("give it a `netns` of its own: equal prefixes could not be told apart there");
        report.add(other.name_span.clone(), fault);
    }
}

/// VXLAN has a port of its own.
fn ports(gateway: &Gateway, vxlan: &Vxlan, report: &mut Report) {
    let taken = [gateway.config.ike_port, gateway.config.natt_port];
    if taken.contains(&vxlan.config.port) {
        let message = format!("UDP port {} is IKE's and ESP's", vxlan.config.port);
        let fault = Fault::new(message).label("taken").help("VXLAN's own is 4789 (RFC 7348)");
        report.add(vxlan.port_span.clone(), fault);
    }
}

/// The way to a VTEP must not lead through a tunnel: where a VPC lives beside the underlay, what its
/// peers announce catches every packet of the host.
fn beside_tunnels(vxlan: &Vxlan, vpcs: &[Vpc], peers: &[Peer], report: &mut Report) {
    let beside = |peer: &&Peer| {
        let vpc = vpcs.get(usize::from(peer.config.vpc.0));
        vpc.is_some_and(|vpc| vpc.config.netns.is_none())
    };
    let catches = |prefix: &Prefix, vtep: IpAddr| prefix.len() > 0 && prefix.contains(vtep);
    for vtep in &vxlan.vteps {
        let catching = peers.iter().filter(beside).find_map(|peer| {
            let accepted = peer.accept.iter().find(|at| catches(&at.value, vtep.value))?;
            Some((peer, accepted))
        });
        let Some((peer, accepted)) = catching else { continue };
        let message = format!(
            "the way to {} would lead through the tunnel to peer {:?}, from which {} is accepted",
            vtep.value, peer.config.name, accepted.value
        );
        let fault = Fault::new(message)
            .label("inside an accepted prefix")
            .beside(accepted.span.clone(), "accepted here")
            .help("narrow `accept`, or give that VPC a `netns`, too");
        report.add(vtep.span.clone(), fault);
    }
}

//! What differs between two configurations, key by key, in the words of the file: for an operator who
//! asks before a reload. Secrets are told to differ, and not what they are.

use crate::config::{Config, PeerConfig, Routing, VpcConfig};
use std::fmt::Debug;

/// The differences of VPCs and peers that both configurations have.
pub(super) fn of(old: &Config, new: &Config) -> Vec<String> {
    let mut found = Vec::new();
    for (id, before) in &old.vpcs {
        if let Some(after) = new.vpcs.get(id) {
            vpc(before, after, &mut found);
        }
    }
    for (id, before) in &old.peers {
        if let Some(after) = new.peers.get(id) {
            peer(before, after, &mut found);
        }
    }
    found
}

/// Notes the keys of the named fields that differ.
macro_rules! differences {
    ($name:expr, $before:expr, $after:expr, $found:expr, [$($field:ident),* $(,)?]) => {
        $(
            if $before.$field != $after.$field {
                $found.push(difference($name, stringify!($field), &$before.$field, &$after.$field));
            }
        )*
    };
}

fn difference(name: &str, key: &str, before: &impl Debug, after: &impl Debug) -> String {
    format!("{name}: {key} {} → {}", value(before), value(after))
}

/// A value as the file would have it, more or less.
fn value(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.strip_prefix("Some(").and_then(|text| text.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None if text == "None" => "nothing".to_owned(),
        None => text,
    }
}

fn vpc(before: &VpcConfig, after: &VpcConfig, found: &mut Vec<String>) {
    let name = format!("VPC {}", after.name);
    let name = name.as_str();
    differences!(
        name,
        before,
        after,
        found,
        [interface, prefixes, mtu, transit, multipath, services, vrrp, vxlan, maps, public, egress]
    );
}

fn peer(before: &PeerConfig, after: &PeerConfig, found: &mut Vec<String>) {
    let name = after.name.as_str();
    if before.credentials != after.credentials {
        found.push(format!("{name}: another key, secret or certificate"));
    }
    if before.ppk != after.ppk {
        found.push(format!("{name}: another post-quantum pre-shared key"));
    }
    differences!(
        name,
        before,
        after,
        found,
        [
            remote_address,
            remote_addresses,
            remote_name,
            remote_port,
            local_address,
            local_identity,
            remote_identity,
            accept,
            local_preference,
            weight,
            ike_suites,
            esp_suites,
            post_quantum,
            lifetimes,
            liveness,
            bfd,
            probe,
            replay_window,
            initiate,
            force_encapsulation,
            mobike,
            aggfrag,
            encapsulation,
            tcp_port,
            constant_rate,
            rate_limit,
            dscp,
            local_ts,
            remote_ts,
        ]
    );
    if before.routing.inside() != after.routing.inside() {
        found.push(format!("{name}: other addresses inside the tunnel"));
    }
    match (&before.routing, &after.routing) {
        (Routing::Bgp(before), Routing::Bgp(after)) => {
            differences!(
                name,
                before,
                after,
                found,
                [remote_asn, role, hold_time, ttl_security, max_prefixes, import, announce]
            );
        }
        (Routing::Static { prefixes: before, .. }, Routing::Static { prefixes: after, .. }) => {
            if before != after {
                found.push(difference(name, "static_routes", before, after));
            }
        }
        (Routing::Bgp(_), Routing::Static { .. }) => {
            found.push(format!("{name}: static routes instead of BGP"));
        }
        (Routing::Static { .. }, Routing::Bgp(_)) => {
            found.push(format!("{name}: BGP instead of static routes"));
        }
    }
}

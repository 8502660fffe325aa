//! Who may send into the segments of the VPCs, as a table of the kernel's packet filter: ours alone,
//! and always replaced as a whole. Counters go on where they were.
//!
//! ```text
//!  udp dport PORT ─┬─ VNI of a VPC ──► that VPC's chain: its VTEPs to our end pass, VRRP from gateways
//!                  │                   only; the rest is counted and dropped
//!                  └─ any other VNI to our end: counted and dropped
//! ```

use crate::gateway::world::{Admission, SegmentCounters, VtepCounters};
use crate::net::VpcId;
use crate::os::nft;
use anyhow::Result;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// Our table.
const TABLE: &str = "vpngw";
/// Where the VNI stands behind the beginning of the UDP header, and how long it is, in bits.
const VNI: &str = "@th,96,24";
/// VRRP in a frame, by the protocol behind the IP header and by the group that it is sent to (RFC 9568 §5.1),
/// in both families: EtherType, then either, in bits behind the beginning of the UDP header.
const VRRP: [&str; 4] = [
    "@th,224,16 0x0800 @th,312,8 112",
    "@th,224,16 0x0800 @th,368,32 0xe0000012",
    "@th,224,16 0x86dd @th,288,8 112",
    "@th,224,16 0x86dd @th,432,128 0xff020000000000000000000000000012",
];
/// Before the rules of others, who may accept the port as a whole.
const PRIORITY: i32 = -10;

/// What has passed a guard and what has not.
pub(super) type Counters = BTreeMap<VpcId, SegmentCounters>;

/// All guards of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Admissions {
    standing: BTreeMap<VpcId, Admission>,
}

impl Admissions {
    /// Whether the guard of a VPC's segment stands.
    pub(super) fn guards(&self, vpc: VpcId) -> bool {
        self.standing.contains_key(&vpc)
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    /// What stands, as far as we know.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Admission> {
        self.standing.values()
    }

    /// Somebody took the table away.
    pub(super) fn forget(&mut self) {
        self.standing.clear();
    }

    /// Makes changes, all or none. `None` removes the guard of a VPC.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or `nft` is not installed; then nothing has changed.
    pub(super) fn change(&mut self, changes: Vec<(VpcId, Option<Admission>)>) -> Result<()> {
        let mut next = self.standing.clone();
        for (vpc, admission) in changes {
            match admission {
                Some(admission) => drop(next.insert(vpc, admission)),
                None => drop(next.remove(&vpc)),
            }
        }
        if next.is_empty() && self.standing.is_empty() && !nft::is_installed() {
            return Ok(());
        }
        let counted = self.count().ok().flatten().unwrap_or_default();
        nft::run(None, &script(&next, &counted))?;
        self.standing = next;
        Ok(())
    }

    /// What was counted so far; `None` when the table is not there, or not as we have made it.
    ///
    /// # Errors
    ///
    /// When `nft` cannot be asked.
    pub(super) fn count(&self) -> Result<Option<Counters>> {
        if self.standing.is_empty() {
            return Ok(None);
        }
        let Some(json) = nft::table(None, "inet", TABLE)? else { return Ok(None) };
        let listing = nft::Listing::read(&json)?;
        let senders = senders(&listing)?;
        if listing.rules != rule_count(&self.standing) {
            return Ok(None);
        }
        let of_vpc = |(vpc, admission): (&VpcId, &Admission)| {
            (*vpc, counters_of(&listing, &senders, admission))
        };
        Ok(Some(self.standing.iter().map(of_vpc).collect()))
    }
}

/// One address and port is the end of many segments.
fn ends(admissions: &BTreeMap<VpcId, Admission>) -> BTreeSet<SocketAddr> {
    admissions.values().map(|one| SocketAddr::new(one.local, one.port)).collect()
}

fn ports(admissions: &BTreeMap<VpcId, Admission>) -> BTreeSet<u16> {
    admissions.values().map(|one| one.port).collect()
}

/// How many rules [`script`] makes: two for each segment, those that keep VRRP out, and one for each port and
/// each end.
fn rule_count(admissions: &BTreeMap<VpcId, Admission>) -> usize {
    let guarded = admissions.values().filter(|one| one.gateways.is_some()).count();
    let each = 2 * admissions.len() + VRRP.len() * guarded;
    each + ports(admissions).len() + ends(admissions).len()
}

/// The script that puts these guards in the place of whatever there was.
fn script(admissions: &BTreeMap<VpcId, Admission>, counted: &Counters) -> String {
    let mut script = format!("add table inet {TABLE}\ndelete table inet {TABLE}\n");
    if admissions.is_empty() {
        return script;
    }
    let _ = writeln!(script, "table inet {TABLE} {{");
    let unknown = counted.values().next().map(|counters| counters.unknown_vni);
    script += &nft::counter("unknown-vni", unknown.unwrap_or_default());
    for (vpc, admission) in admissions {
        let before = counted.get(vpc).cloned().unwrap_or_default();
        segment(&mut script, admission, &before);
    }
    script +=
        &format!("chain input {{\ntype filter hook input priority {PRIORITY}; policy accept;\n");
    for port in ports(admissions) {
        let here = admissions.values().filter(|one| one.port == port);
        let verdicts: Vec<String> =
            here.map(|one| format!("{0} : goto vni-{0}", one.vni)).collect();
        let _ = writeln!(script, "udp dport {port} {VNI} vmap {{ {} }}", verdicts.join(", "));
    }
    for end in ends(admissions) {
        let (family, address, port) = (family(end.ip()), end.ip(), end.port());
        let _ = writeln!(
            script,
            "{family} daddr {address} udp dport {port} counter name \"unknown-vni\" drop"
        );
    }
    script += "}\n}\n";
    script
}

fn segment(script: &mut String, admission: &Admission, before: &SegmentCounters) {
    let Admission { vni, local, vteps, gateways, .. } = admission;
    *script += &nft::counter(&format!("refused-{vni}"), before.refused);
    let kind = if local.is_ipv4() { "ipv4_addr" } else { "ipv6_addr" };
    let element = |vtep: &IpAddr| {
        let VtepCounters { packets, bytes } = before.vteps.get(vtep).copied().unwrap_or_default();
        format!("{vtep} counter packets {packets} bytes {bytes}")
    };
    let elements: Vec<String> = vteps.iter().map(element).collect();
    let elements = elements.join(", ");
    let family = family(*local);
    let vrrp: String = gateways.iter().flat_map(|of| vrrp_rules(family, *vni, of)).collect();
    let _ = write!(
        script,
        "set vteps-{vni} {{ type {kind}; counter; elements = {{ {elements} }} }}\n\
         chain vni-{vni} {{\n{vrrp}\
         {family} daddr {local} {family} saddr @vteps-{vni} accept\n\
         counter name \"refused-{vni}\" drop\n}}\n"
    );
}

fn vrrp_rules(family: &str, vni: u32, gateways: &BTreeSet<IpAddr>) -> Vec<String> {
    let gateways: Vec<String> = gateways.iter().map(ToString::to_string).collect();
    let others = match gateways.as_slice() {
        [] => String::new(),
        some => format!("{family} saddr != {{ {} }} ", some.join(", ")),
    };
    let rule = |frame| format!("{others}{frame} counter name \"refused-{vni}\" drop\n");
    VRRP.into_iter().map(rule).collect()
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

#[derive(Deserialize)]
struct Set {
    name: String,
    #[serde(default)]
    elem: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    elem: Vtep,
}

#[derive(Deserialize)]
struct Vtep {
    val: IpAddr,
    counter: Option<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    packets: u64,
    bytes: u64,
}

/// What VTEPs have sent, by the name of their set.
type Senders = BTreeMap<String, BTreeMap<IpAddr, VtepCounters>>;

fn senders(listing: &nft::Listing) -> Result<Senders> {
    let read = |set: &serde_json::Value| {
        let Set { name, elem } = Set::deserialize(set)?;
        let counts = elem.into_iter().map(|Element { elem: Vtep { val, counter } }| {
            let Counted { packets, bytes } = counter.unwrap_or(Counted { packets: 0, bytes: 0 });
            (val, VtepCounters { packets, bytes })
        });
        Ok((name, counts.collect()))
    };
    listing.sets.iter().map(read).collect()
}

fn counters_of(
    listing: &nft::Listing,
    senders: &Senders,
    admission: &Admission,
) -> SegmentCounters {
    let vni = admission.vni;
    SegmentCounters {
        vteps: senders.get(&format!("vteps-{vni}")).cloned().unwrap_or_default(),
        refused: listing.counter(&format!("refused-{vni}")),
        unknown_vni: listing.counter("unknown-vni"),
        ..SegmentCounters::default()
    }
}

#[cfg(test)]
mod tests;

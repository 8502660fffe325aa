//! What two files say of the VXLAN segments that their gateways share.

use super::Contradiction;
use crate::config::{Config, VpcConfig, VxlanConfig};

/// Gateways whose VTEPs know each other are in the same segments: one VNI for one VPC, ends that list
/// each other, the same port and MTU.
pub(super) fn compare(one: &Config, other: &Config, found: &mut Vec<Contradiction>) {
    for here in one.vpcs.values() {
        for there in other.vpcs.values() {
            if let (Some(ours), Some(theirs)) = (&here.vxlan, &there.vxlan)
                && (ours.vteps.contains(&theirs.local) || theirs.vteps.contains(&ours.local))
            {
                found.extend(segment((one, here, ours), (other, there, theirs)));
            }
        }
    }
}

type Member<'c> = (&'c Config, &'c VpcConfig, &'c VxlanConfig);

fn segment(here: Member<'_>, there: Member<'_>) -> Vec<Contradiction> {
    let ((one, vpc, ours), (other, theirs_vpc, theirs)) = (here, there);
    let (a, b) = (&one.gateway.name, &other.gateway.name);
    let contradiction =
        |message: String, help: &str| Contradiction { message, help: help.to_owned() };
    let (name, vni) = (&vpc.name, ours.vni);
    if vpc.name != theirs_vpc.name {
        let message = format!("VNI {vni} is VPC {name} at {a} and VPC {} at {b}", theirs_vpc.name);
        let help = "a VNI is one VPC's: their hosts would hear each other";
        return (ours.vni == theirs.vni)
            .then(|| contradiction(message, help))
            .into_iter()
            .collect();
    }
    let mut found = Vec::new();
    if ours.vni != theirs.vni {
        let message = format!("VPC {name} has VNI {vni} at {a} and {} at {b}", theirs.vni);
        found.push(contradiction(message, "write the same `vni` in both files"));
    }
    if ours.port != theirs.port {
        let message =
            format!("VPC {name} has UDP port {} at {a} and {} at {b}", ours.port, theirs.port);
        found.push(contradiction(message, "write the same `port` in both files"));
    }
    if ours.mtu != theirs.mtu {
        let message =
            format!("VPC {name} has an MTU of {} at {a} and {} at {b}", ours.mtu, theirs.mtu);
        let help = "what one sends in a segment all must take: write the same `mtu` in both files";
        found.push(contradiction(message, help));
    }
    for (knows, silent, end) in [(a, b, ours.local), (b, a, theirs.local)] {
        let vteps = if silent == b { &theirs.vteps } else { &ours.vteps };
        if !vteps.contains(&end) {
            let message = format!(
                "{silent} does not list {knows}, which is {end}, among the `vteps` of VPC {name}"
            );
            let help = format!("add \"{end}\" to `vteps` in the file of {silent}");
            found.push(contradiction(message, &help));
        }
    }
    if let Some(address) = ours.addresses.iter().find(|address| theirs.addresses.contains(*address))
    {
        let message = format!("{a} and {b} both have {address} in the segment of VPC {name}");
        found.push(contradiction(message, "give each gateway `addresses` of its own"));
    }
    found
}

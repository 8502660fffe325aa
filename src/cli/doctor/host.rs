//! Links, addresses, ports, kernel settings, routes and limits of this host.

use super::{Finding, firewall, names};
use crate::config::{Config, Credentials, PeerConfig, VpcConfig};
use crate::net::Prefix;
use crate::os::clock::Clock;
use crate::os::netlink::{Link, Netlink, Route, Via};
use crate::os::{caps, conntrackd, nft, offload, sysctl};
use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::SystemTime;

/// Seconds of 2025-01-01: a clock before that was never set.
const BUILT: u64 = 1_735_689_600;

/// The device that Open vSwitch makes when it switches in user space.
const OVS_IN_USER_SPACE: &str = "ovs-netdev";

/// A namespace as it is looked at.
struct Place {
    links: Vec<Link>,
    /// Addresses by device.
    addresses: BTreeMap<String, Vec<IpAddr>>,
    routes: Vec<Route>,
}

/// What of this host a configuration needs.
pub(super) fn of(config: &Config) -> Result<Vec<Finding>> {
    let here = look(None)?;
    let mut findings = Vec::new();
    findings.extend(tun());
    findings.extend(listening(config, &here));
    findings.extend(ports(config));
    findings.extend(segments(config));
    findings.extend(sharing(config));
    for vpc in config.vpcs.values() {
        let elsewhere = match &vpc.netns {
            Some(name) => match look(Some(name)) {
                Ok(place) => Some(place),
                Err(error) => {
                    let remedy = format!("ip netns add {name}, before vpngwd starts");
                    findings.push(Finding::bad("namespace", format!("{name}: {error:#}"), remedy));
                    continue;
                }
            },
            None => None,
        };
        let place = elsewhere.as_ref().unwrap_or(&here);
        findings.extend(interfaces(vpc, place));
        findings.extend(settings(vpc, place));
        findings.extend(offloads(vpc, place));
        findings.extend(firewall::of(vpc));
        findings.extend(shadows(config, vpc, place));
    }
    let own = here.addresses.values().flatten().copied().collect();
    findings.extend(names::of(config, &own));
    findings.extend(clock(config));
    Ok(findings)
}

/// What segments of VPCs need beside the kernel.
fn segments(config: &Config) -> Option<Finding> {
    let mut segments = config.vpcs.values().filter(|vpc| vpc.vxlan.is_some());
    let vpc = &segments.next()?.name;
    Some(match nft::is_installed() {
        true => Finding::good("nft", format!("nft is there for the segment of VPC {vpc}")),
        false => Finding::bad(
            "nft",
            format!("without nft nobody guards the segment of VPC {vpc}, and it is not opened"),
            "apt install nftables",
        ),
    })
}

/// What sharing connections with another gateway needs.
fn sharing(config: &Config) -> Option<Finding> {
    let vpc = &config.vpcs.values().find(|vpc| vpc.sharing.is_some())?.name;
    Some(match conntrackd::program() {
        Some(_) => Finding::good("conntrackd", format!("conntrackd is there for VPC {vpc}")),
        None => Finding::bad(
            "conntrackd",
            format!("without conntrackd connections of VPC {vpc} end with their gateway"),
            "apt install conntrackd",
        ),
    })
}

/// Looks at a namespace.
fn look(namespace: Option<&str>) -> Result<Place> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let netlink = Netlink::open(namespace)?;
        let links = netlink.links().await?;
        let mut addresses = BTreeMap::new();
        for link in &links {
            let of_link = netlink.addresses(&link.name).await?;
            addresses.insert(link.name.clone(), of_link.iter().map(|one| one.address).collect());
        }
        Ok(Place { links, addresses, routes: netlink.main_routes().await? })
    })
}

fn tun() -> Option<Finding> {
    let error = caps::require_tun().err()?;
    Some(Finding::bad(
        "TUN",
        format!("{error:#}"),
        "modprobe tun; in a container: --device /dev/net/tun",
    ))
}

/// The addresses to listen on, on devices that carry packets, large enough for `underlay_mtu`.
fn listening(config: &Config, here: &Place) -> Vec<Finding> {
    let written = config.gateway.listen.iter().filter(|address| !address.is_unspecified());
    let of = |address: &IpAddr| {
        let bearing = here.addresses.iter().find(|(_, all)| all.contains(address));
        let link = bearing.and_then(|(name, _)| here.links.iter().find(|link| link.name == *name));
        let Some(link) = link else {
            return Finding::bad(
                "underlay",
                format!("no device has {address} of `listen`"),
                format!("ip address add {address}/… dev …, or write an address that this host has"),
            );
        };
        let (name, mtu) = (&link.name, link.mtu);
        let wanted = u32::from(config.gateway.underlay_mtu);
        if !link.is_up {
            let remedy = format!("ip link set {name} up");
            return Finding::bad("underlay", format!("{name} with {address} is down"), remedy);
        }
        if !link.is_running {
            let what = format!("{name} with {address} has no carrier");
            return Finding::bad("underlay", what, "look at the cable and the other end");
        }
        if mtu < wanted {
            return Finding::bad(
                "underlay",
                format!("{name} takes {mtu} bytes, and `underlay_mtu` is {wanted}"),
                format!(
                    "write underlay_mtu = {mtu} into [gateway], or ip link set {name} mtu {wanted}"
                ),
            );
        }
        Finding::good("underlay", format!("{address} is on {name}, which is up, MTU {mtu}"))
    };
    written.map(of).collect()
}

/// Where peers may connect in TCP.
fn addresses_in_tcp(config: &Config) -> impl Iterator<Item = SocketAddr> {
    let port = config.stream_port().into_iter();
    port.flat_map(|port| config.gateway.listen.iter().map(move |ip| SocketAddr::new(*ip, port)))
}

/// Whether somebody else has the ports.
fn ports(config: &Config) -> Vec<Finding> {
    let gateway = &config.gateway;
    let running = std::os::unix::net::UnixStream::connect(&gateway.control_socket).is_ok();
    if running {
        let in_tcp =
            config.stream_port().map_or(String::new(), |port| format!(", and TCP port {port}"));
        let (ike, natt) = (gateway.ike_port, gateway.natt_port);
        let what = format!("vpngwd has UDP ports {ike} and {natt}{in_tcp}");
        return vec![Finding::good("ports", what)];
    }
    let addresses = gateway.listen.iter();
    let ports = addresses
        .flat_map(|address| [gateway.ike_port, gateway.natt_port].map(|port| (*address, port)));
    let busy = ports.filter_map(|(address, port)| {
        let error = UdpSocket::bind((address, port)).err()?;
        let remedy =
            format!("ss -ulpn sport = :{port} shows who; stop it (strongSwan, libreswan?)");
        match error.kind() {
            ErrorKind::AddrInUse => Some(Finding::bad(
                "ports",
                format!("UDP port {port} of {address} is taken"),
                remedy,
            )),
            ErrorKind::PermissionDenied => Some(Finding::bad(
                "ports",
                format!("this user may not open UDP port {port}"),
                "run vpnctl as root, as CAP_NET_BIND_SERVICE is needed",
            )),
            // That the address is missing is said elsewhere.
            _ => None,
        }
    });
    let in_tcp = addresses_in_tcp(config).filter(|place| {
        TcpListener::bind(place).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    });
    let busy_in_tcp = in_tcp.map(|place| {
        let remedy = format!(
            "ss -tlpn sport = :{} shows who; stop it, or write another tcp_port",
            place.port()
        );
        Finding::bad("ports", format!("TCP {place} is taken"), remedy)
    });
    let busy: Vec<Finding> = busy.chain(busy_in_tcp).collect();
    match busy.is_empty() {
        true => vec![Finding::good(
            "ports",
            format!("UDP ports {} and {} are free", gateway.ike_port, gateway.natt_port),
        )],
        false => busy,
    }
}

/// The interfaces of a VPC that its file names.
fn interfaces(vpc: &VpcConfig, place: &Place) -> Vec<Finding> {
    let of_vrrp = vpc.vrrp.iter().map(|router| &router.interface);
    // That of a segment is made by the daemon.
    let segment = vpc.vxlan.as_ref().map(|vxlan| &vxlan.interface);
    let named = vpc.interface.iter().chain(of_vrrp);
    let mut names: Vec<&String> = named.filter(|name| Some(*name) != segment).collect();
    names.sort();
    names.dedup();
    let of = |name: &String| {
        let link = place.links.iter().find(|link| link.name == *name);
        let used = if vpc.vrrp.is_empty() { "`interface`" } else { "`interface`, for VRRP" };
        match link {
            None => Finding::bad(
                "interface",
                format!("there is no {name}, which VPC {} names as {used}", vpc.name),
                "correct the name; `ip link` lists those that there are",
            ),
            Some(link) if !link.is_up => Finding::bad(
                "interface",
                format!("{name} of VPC {} is down", vpc.name),
                format!("ip link set {name} up"),
            ),
            Some(link) if !link.is_running => Finding::bad(
                "interface",
                format!("{name} of VPC {} has no carrier", vpc.name),
                "look at the cable and the other end",
            ),
            Some(link) => Finding::good(
                "interface",
                format!("{name} of VPC {} is up, MTU {}", vpc.name, link.mtu),
            ),
        }
    };
    names.into_iter().map(of).collect()
}

/// Settings of the kernel without which it does not forward.
fn settings(vpc: &VpcConfig, place: &Place) -> Vec<Finding> {
    let namespace = vpc.netns.as_deref();
    let mut findings: Vec<Finding> = caps::forwarding_off(namespace)
        .into_iter()
        .map(|remedy| {
            let inside =
                namespace.map_or_else(String::new, |name| format!("ip netns exec {name} "));
            let what = format!("the kernel does not forward packets of VPC {}", vpc.name);
            Finding::bad("forwarding", what, format!("{inside}{remedy}"))
        })
        .collect();
    let devices = vpc.interface.iter().chain([&vpc.tun]);
    let devices = devices.filter(|name| place.links.iter().any(|link| link.name == **name));
    for name in devices {
        let read = |device: &str| {
            let value = sysctl::read(namespace, &format!("net/ipv4/conf/{device}/rp_filter"));
            value.ok().and_then(|value| value.parse::<u8>().ok()).unwrap_or(0)
        };
        // The kernel takes the greater of both (ip-sysctl).
        if read("all").max(read(name)) == 1 {
            findings.push(Finding::bad(
                "rp_filter",
                format!("{name} drops packets that come in where answers would not leave (rp_filter is strict)"),
                format!("sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{name}.rp_filter=2"),
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good(
            "forwarding",
            format!("packets of VPC {} are forwarded", vpc.name),
        ));
    }
    findings
}

/// Routes of somebody else to where the peers are, that would lead past the tunnels.
fn shadows(config: &Config, vpc: &VpcConfig, place: &Place) -> Vec<Finding> {
    let of_vpc = config
        .peers
        .values()
        .filter(|peer| config.vpcs.get(&peer.vpc).is_some_and(|own| own.name == vpc.name));
    let beyond: Vec<Prefix> = of_vpc.flat_map(|peer| peer.accept.iter().copied()).collect();
    let leads_past = |route: &&Route| {
        let ours = matches!(&route.via, Via::Device(device) if *device == vpc.tun);
        !ours && route.prefix.len() > 0
    };
    let inside =
        |route: &&Route| beyond.iter().any(|wide| wide.len() > 0 && wide.covers(&route.prefix));
    let shadows = place.routes.iter().filter(leads_past).filter(inside).take(8);
    shadows
        .map(|route| {
            Finding::bad(
                "routes",
                format!(
                    "the main table has a route to {}, where peers of VPC {} are",
                    route.prefix, vpc.name
                ),
                format!(
                    "vpngw's rules go before it; ip route del {} if nobody needs it",
                    route.prefix
                ),
            )
        })
        .collect()
}

/// A switch in user space takes packets from a veth as they are: those of this host have no checksum
/// when that is left to the device, and whoever gets them at the other end drops them.
fn offloads(vpc: &VpcConfig, place: &Place) -> Option<Finding> {
    let device = vpc.interface.as_deref()?;
    let namespace = vpc.netns.as_deref();
    let is_switch = place.links.iter().any(|link| link.name == OVS_IN_USER_SPACE);
    let is_veth = offload::driver(namespace, device).is_ok_and(|driver| driver == "veth");
    let leaves_out = offload::leaves_checksums(namespace, device).unwrap_or(false);
    (is_switch && is_veth && leaves_out).then(|| {
        let inside = namespace.map_or_else(String::new, |name| format!("ip netns exec {name} "));
        Finding::bad(
            "offload",
            format!(
                "{device} of VPC {} leaves checksums to Open vSwitch, which runs in user space here                  and adds none: hosts drop what comes",
                vpc.name
            ),
            format!("{inside}ethtool -K {device} tx off"),
        )
    })
}

fn clock(config: &Config) -> Option<Finding> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let remedy = "timedatectl set-ntp true, or install chrony";
    if now.as_secs() < BUILT {
        let what = "this host's clock was never set: logs and lifetimes are told wrongly";
        return Some(Finding::bad("clock", what, remedy));
    }
    let by_certificate =
        |peer: &PeerConfig| matches!(peer.credentials, Credentials::Certificate { .. });
    let matters = config.peers.values().any(by_certificate);
    (matters && !Clock::is_synchronised()).then(|| {
        let what = "nothing keeps this host's clock right, and certificates are judged by it";
        Finding::bad("clock", what, remedy)
    })
}

/// What a process of this session may take; the unit sets its own.
pub(super) fn limits() -> Vec<Finding> {
    let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, most)| most);
    match most {
        0..4096 => vec![Finding::bad(
            "limits",
            format!("a process may open {most} files: too few for many BGP sessions"),
            "LimitNOFILE=65536 in the unit, or ulimit -Hn 65536",
        )],
        _ => vec![Finding::good("limits", format!("a process may open {most} files"))],
    }
}

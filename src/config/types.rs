//! A valid configuration as values. What a word of the file means stands at its field here;
//! what it is when left out stands in [`super::defaults`].
//!
//! Everything compares by value, so a reload is the difference of two [`Config`]s.

use super::sharing_section::SharingConfig;
use super::{
    Bfd, Credentials, EgressConfig, Identity, Lifetimes, Liveness, PaperFiles, Ppk, Probe,
    PublicConfig, ServiceConfig, inside,
};
use crate::crypto::secret::Secret;
use crate::crypto::suite::{EspSuite, IkeSuite, PostQuantum};
use crate::net::{
    Asn, Encapsulation, HostName, InterfaceAddress, Mapping, Mappings, OuterDscp, PeerId, Prefix,
    RemoteId, VpcId,
};
use crate::routing::policy::{Role, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU16, NonZeroU64};
use std::time::Duration;

/// The configuration of one gateway. Only [`super::parse`] makes one, so what it says has been
/// checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The gateway itself.
    pub gateway: GatewayConfig,
    /// The VPCs that it serves.
    pub vpcs: BTreeMap<VpcId, VpcConfig>,
    /// The remote gateways, each one tunnel for one VPC.
    pub peers: BTreeMap<PeerId, PeerConfig>,
    pub(super) checked: Checked,
}

/// Proof that a configuration went through validation, and what was found on the way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checked {
    peers_of: BTreeMap<VpcId, Vec<PeerId>>,
}

impl Checked {
    /// Of a configuration with these peers.
    pub(super) fn with(peers: &BTreeMap<PeerId, PeerConfig>) -> Checked {
        let mut peers_of: BTreeMap<VpcId, Vec<PeerId>> = BTreeMap::new();
        peers.iter().for_each(|(id, peer)| peers_of.entry(peer.vpc).or_default().push(*id));
        Checked { peers_of }
    }
}

impl Config {
    /// The TCP port on which peers are listened to; `None` while none may use TCP (RFC 9329 §5).
    pub fn stream_port(&self) -> Option<u16> {
        let in_tcp = |peer: &PeerConfig| peer.encapsulation != Encapsulation::Udp;
        self.peers.values().any(in_tcp).then_some(self.gateway.tcp_port)
    }
}

/// This gateway: `[gateway]`.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayConfig {
    /// Its name, unique among the gateways of the deployment.
    pub name: String,
    /// The region it stands in, for people; empty when not said.
    pub region: String,
    /// The availability zone it stands in, for people; empty when not said.
    pub zone: String,
    /// Underlay addresses on which IKE and ESP-in-UDP are received; unspecified addresses mean
    /// every address of the family.
    pub listen: Vec<IpAddr>,
    /// UDP port for IKE (RFC 7296 §2).
    pub ike_port: u16,
    /// UDP port for IKE behind NAT and for ESP (RFC 3948).
    pub natt_port: u16,
    /// TCP port on which peers are listened to that may use TCP (RFC 9329).
    pub tcp_port: u16,
    /// The identity that peers expect of us (RFC 7296 §3.5) where a peer's section says no other.
    pub identity: Identity,
    /// Our autonomous system; `None` when no peer speaks BGP.
    pub asn: Option<Asn>,
    /// BGP Identifier (RFC 6286): unique within the autonomous system, not zero.
    pub router_id: Ipv4Addr,
    /// Whether it follows from `listen` or the name; then it stays what it was at the start.
    pub router_id_follows: bool,
    /// MTU of the underlay, from which the MTU inside the tunnels follows.
    pub underlay_mtu: u16,
    /// Find out what the path to each peer carries, up to `underlay_mtu` (RFC 8899).
    pub path_mtu_discovery: bool,
    /// Send and take IKE messages in fragments, with peers that do so, too (RFC 7383).
    pub ike_fragmentation: bool,
    /// Believe a peer's token that it has lost an IKE SA, and show ours (RFC 6290).
    pub crash_detection: bool,
    /// Data-plane threads.
    pub workers: Workers,
    /// Path of the control socket.
    pub control_socket: String,
    /// Where metrics and the status page are served by HTTP; `None` is nowhere.
    pub http_listen: Option<SocketAddr>,
}

/// How many data-plane threads run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many as the machine has room for beside the kernel and the hosts.
    Auto,
    /// Exactly this many.
    Exactly(NonZeroU16),
}

/// A VPC: `[[vpc]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct VpcConfig {
    /// Its name; gateways that connect the same VPC call it the same.
    pub name: String,
    /// Name of its TUN device.
    pub tun: String,
    /// Network namespace in which the TUN device and the VPC's interface live; `None` is the
    /// namespace of the daemon.
    pub netns: Option<String>,
    /// The interface towards the VPC's hosts.
    pub interface: Option<String>,
    /// More interfaces by which packets for the VPC may come in in the clear: networks that are
    /// neither its own nor the underlay, between which and the VPC the host routes.
    pub let_in: Vec<String>,
    /// The VPC's prefixes on this side: announced to peers, and the only addresses that packets
    /// from peers may be sent to.
    pub prefixes: Vec<Prefix>,
    /// MTU inside the tunnels; `None` follows from the underlay's MTU and the suite.
    pub mtu: Option<u16>,
    /// Whether prefixes learned from one peer are announced to the others.
    pub transit: bool,
    /// Whether peers whose routes to a prefix are equally good carry it together, each its flows.
    pub multipath: bool,
    /// Addresses shared with the other gateways of the region.
    pub vrrp: Vec<VrrpConfig>,
    /// What everybody behind the peers may use of the host's services.
    pub services: Vec<ServiceConfig>,
    /// Routers of the VPC that speak BGP with us.
    pub routers: Vec<VpcRouterConfig>,
    /// The segment in which its hosts are; `None` when they are behind an interface of the host.
    pub vxlan: Option<VxlanConfig>,
    /// Prefixes that peers know by others.
    pub maps: Vec<MapConfig>,
    /// Public addresses of its hosts.
    pub public: Vec<PublicConfig>,
    /// From where its other hosts speak to the world.
    pub egress: Vec<EgressConfig>,
    /// With whom its translated connections are shared.
    pub sharing: Option<SharingConfig>,
}

impl VpcConfig {
    /// All prefixes that may be at home here: its own, and what its routers may announce.
    pub fn extent(&self) -> impl Iterator<Item = Prefix> {
        let learned = self.routers.iter().flat_map(|router| &router.accept);
        self.prefixes.iter().chain(learned).copied()
    }

    /// All public addresses.
    pub fn public_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let public = self.public.iter().map(|one| one.address);
        public.chain(self.egress.iter().map(|one| one.address)).collect()
    }

    /// The device by which translated packets cross between the gateway's namespace and the VPC's; it
    /// has the same name in both.
    pub fn outlet(&self) -> String {
        let fitting: String = self.name.chars().take(11).collect();
        format!("pub-{fitting}")
    }

    /// The longest packet that may come out of its tunnels, where the configuration says one: what
    /// it says itself, or what fits the segment of its hosts.
    pub fn mtu_limit(&self) -> Option<u16> {
        let segment = self.vxlan.as_ref().map(|vxlan| vxlan.mtu);
        self.mtu.into_iter().chain(segment).min()
    }
}

/// A prefix that peers know by another: `[[vpc.map]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapConfig {
    /// The two prefixes. The inside covers some of the VPC's prefixes, each as a whole; the outside is
    /// nobody's otherwise.
    pub mapping: Mapping,
    /// The remote gateways that know it so; `None` is all.
    pub towards: Option<BTreeSet<String>>,
}

impl MapConfig {
    /// Whether it holds towards a remote gateway.
    pub fn is_towards(&self, gateway: &str) -> bool {
        self.towards.as_ref().is_none_or(|towards| towards.contains(gateway))
    }

    /// Whether both may hold towards the same one.
    pub(super) fn meets(&self, other: &MapConfig) -> bool {
        let (Some(one), Some(other)) = (&self.towards, &other.towards) else { return true };
        !one.is_disjoint(other)
    }
}

/// A router of a VPC: `[[vpc.router]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct VpcRouterConfig {
    /// Its name, unique in the VPC.
    pub name: String,
    /// Its address on the VPC's network.
    pub address: IpAddr,
    /// Ours there, which is the next hop that it is told.
    pub local_address: IpAddr,
    /// Its autonomous system; ours makes the session an internal one.
    pub remote_asn: Asn,
    /// What it may announce: every prefix that one of these covers.
    pub accept: Vec<Prefix>,
    /// Rules about routes from it, beside `accept`.
    pub import: Vec<Rule>,
    /// Rules about routes to it.
    pub announce: Vec<Rule>,
    /// The password of the session (RFC 2385).
    pub password: Option<Secret>,
    /// What we are to it (RFC 9234).
    pub role: Option<Role>,
    /// It must say what it is to us.
    pub strict_role: bool,
    /// Hold Time that we propose.
    pub hold_time: Duration,
    /// Whether only packets are taken that no router has forwarded (RFC 5082).
    pub ttl_security: bool,
    /// Most prefixes that it may announce before its session is ended.
    pub max_prefixes: u32,
    /// How much its routes are preferred.
    pub local_preference: u32,
}

/// The segment of a VPC (RFC 7348): `[vpc.vxlan]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VxlanConfig {
    /// VXLAN Network Identifier, 1 to 2^24 - 1; no two VPCs have the same.
    pub vni: u32,
    /// Name of the VXLAN device, which is made in the VPC's network namespace.
    pub interface: String,
    /// Our address on the underlay of the compute nodes.
    pub local: IpAddr,
    /// UDP port of all VTEPs.
    pub port: u16,
    /// The other VTEPs: they alone may send to us, and what is for all hosts goes to each of them.
    pub vteps: BTreeSet<IpAddr>,
    /// Those that may speak VRRP in the segment; `None` is all.
    pub gateways: Option<BTreeSet<IpAddr>>,
    /// The longest packet in the segment, in bytes.
    pub mtu: u16,
    /// Our own addresses in the segment.
    pub addresses: BTreeSet<InterfaceAddress>,
}

/// Virtual routers with one VRID on one interface (RFC 9568): `[[vpc.vrrp]]`. IPv4 and IPv6 are
/// two virtual routers that share these settings; one with no addresses does not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct VrrpConfig {
    /// Interface on which the virtual router lives.
    pub interface: String,
    /// Virtual Router Identifier.
    pub vrid: u8,
    /// Priority, 1 to 254; 255 would mean that we own the addresses.
    pub priority: u8,
    /// Priority while no peer can be reached, so that a gateway without tunnels gives the
    /// addresses up.
    pub isolated_priority: u8,
    /// Virtual IPv4 addresses.
    pub ipv4: Vec<Ipv4Addr>,
    /// Virtual IPv6 addresses, the link-local one first (RFC 9568 §5.2.9).
    pub ipv6: Vec<Ipv6Addr>,
    /// Advertisement_Interval in centiseconds, 1 to 4095.
    pub interval_centiseconds: u16,
    /// Preempt_Mode: whether a higher priority takes over from a running Active Router.
    pub preempt: bool,
}

/// One tunnel to a remote gateway, for one VPC: a `[[peer]]`, or one of the VPCs that it lists.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerConfig {
    /// The tunnel's name, unique in this file: the gateway's, followed by `/` and the VPC's when
    /// the section lists its `vpcs`.
    pub name: String,
    /// The remote gateway. All tunnels to it share one IKE SA.
    pub remote: RemoteId,
    /// The remote gateway's name, which its section says.
    pub gateway: String,
    /// The VPC that the tunnel belongs to.
    pub vpc: VpcId,
    /// Its address on the underlay; `None` when it may come from any, and while its name means none.
    pub remote_address: Option<IpAddr>,
    /// Where several are written, or known of its name, all of them, in the order of trying.
    pub remote_addresses: Vec<IpAddr>,
    /// The name that is written in place of an address. Then the address is where the peer is looked
    /// for now, which is nothing that the file says; it may come from any.
    pub remote_name: Option<HostName>,
    /// The UDP port where its IKE listens.
    pub remote_port: u16,
    /// Our address on the underlay for this peer; `None` leaves the choice to the routing table.
    pub local_address: Option<IpAddr>,
    /// Who we say we are.
    pub local_identity: Identity,
    /// Who the peer must prove to be.
    pub remote_identity: Identity,
    /// How both prove it.
    pub credentials: Credentials,
    /// The files of its certificates and of ours towards it; empty without certificates.
    pub papers: Vec<std::sync::Arc<PaperFiles>>,
    /// A secret of both that goes into the keys, too (RFC 8784).
    pub ppk: Option<Ppk>,
    /// Where routes through the tunnel come from.
    pub routing: Routing,
    /// Prefixes that the peer may announce and send from; longer ones inside them are accepted.
    pub accept: Vec<Prefix>,
    /// LOCAL_PREF of routes through this peer: the highest wins (RFC 4271 §9.1.1).
    pub local_preference: u32,
    /// How many of the flows go to it that it shares with others: twice as many by twice the weight.
    pub weight: NonZeroU8,
    /// IKE suites, the preferred first.
    pub ike_suites: Vec<IkeSuite>,
    /// ESP suites, the preferred first.
    pub esp_suites: Vec<EspSuite>,
    /// Whether ML-KEM stands beside the key exchange of IKE (RFC 9370).
    pub post_quantum: PostQuantum,
    /// When SAs are replaced.
    pub lifetimes: Lifetimes,
    /// How fast a dead peer is noticed.
    pub liveness: Liveness,
    /// How fast a lost path is noticed; `None` when BFD is off.
    pub bfd: Option<Bfd>,
    /// Size of the anti-replay window in packets, a power of two (RFC 4303 §3.4.3).
    pub replay_window: u32,
    /// Whether we start the tunnel, or wait for the peer to.
    pub initiate: bool,
    /// Whether ESP goes over UDP even when no NAT is on the path.
    pub force_encapsulation: bool,
    /// By which addresses the peer knows ours.
    pub maps: Mappings,
    /// Whether addresses of its IKE SA may change while it stands (RFC 4555).
    pub mobike: bool,
    /// Whether packets may share a datagram and be cut, if the peer agrees (RFC 9347).
    pub aggfrag: bool,
    /// In what IKE and ESP go (RFC 9329).
    pub encapsulation: Encapsulation,
    /// The TCP port where the peer listens.
    pub tcp_port: u16,
    /// Bits per second at which datagrams leave, whether there are packets or not (RFC 9347 §2.4.1).
    pub constant_rate: Option<NonZeroU64>,
    /// Bits per second of the datagrams that it is sent at most.
    pub rate_limit: Option<NonZeroU64>,
    /// The DSCP of the datagrams around packets of hosts.
    pub dscp: OuterDscp,
    /// Our side's traffic selectors (RFC 7296 §2.9), as the peer knows it.
    pub local_ts: Vec<Prefix>,
    /// The peer's side's traffic selectors.
    pub remote_ts: Vec<Prefix>,
    /// A host behind it without whose answers others are preferred.
    pub probe: Option<Probe>,
}

/// Where routes through a tunnel come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Routing {
    /// The peer announces them by BGP-4 inside the tunnel.
    Bgp(BgpConfig),
    /// They are written in the file and hold while the tunnel is up.
    Static {
        /// The prefixes behind the peer.
        prefixes: Vec<Prefix>,
        /// The addresses inside the tunnel, where the file names them: BFD runs between them.
        inside: Option<Inside>,
    },
}

/// The two ends of a tunnel, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Our address.
    pub local: IpAddr,
    /// The peer's.
    pub remote: IpAddr,
}

/// The BGP session inside a tunnel.
#[derive(Clone, Debug, PartialEq)]
pub struct BgpConfig {
    /// The peer's autonomous system.
    pub remote_asn: Asn,
    /// Our address inside the tunnel.
    pub inside_local: IpAddr,
    /// The peer's address inside the tunnel.
    pub inside_remote: IpAddr,
    /// Hold Time that we propose (RFC 4271 §4.2); keepalives go out at a third of what is agreed.
    pub hold_time: Duration,
    /// Whether the session takes only packets with a TTL of 255, which no router has forwarded
    /// (RFC 5082).
    pub ttl_security: bool,
    /// What we are to the peer (RFC 9234).
    pub role: Option<Role>,
    /// The peer must say what it is to us.
    pub strict_role: bool,
    /// Most prefixes that the peer may announce before its session is ended.
    pub max_prefixes: u32,
    /// Rules about routes from the peer, beside `accept`.
    pub import: Vec<Rule>,
    /// Rules about routes to the peer.
    pub announce: Vec<Rule>,
}

impl PeerConfig {
    /// What both ends know the tunnel by, the same at both.
    pub fn shared_key(&self) -> u64 {
        inside::shared_key(&self.local_identity, &self.remote_identity)
    }

    /// Prefixes of our side as the peer knows them.
    pub fn as_known<'p>(&'p self, own: &'p [Prefix]) -> impl Iterator<Item = Prefix> + 'p {
        own.iter().map(|prefix| self.maps.outward_prefix(prefix))
    }
}

impl Config {
    /// The peers of one VPC.
    pub fn peers_of(&self, vpc: VpcId) -> impl Iterator<Item = (PeerId, &PeerConfig)> {
        let ids = self.checked.peers_of.get(&vpc).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.peers.get(id)?)))
    }
}

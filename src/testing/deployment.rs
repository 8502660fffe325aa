//! Configurations of whole deployments: regions, each with its gateways, all connected with all.

use crate::config::{self, Config, EgressConfig, KeysInMemory, PublicConfig, ServiceConfig};
use crate::wire::ip::protocol;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// A region: a LAN with hosts, and gateways that share it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    /// Its number, from 1: part of every address.
    pub number: u8,
    /// How many gateways stand in it.
    pub gateways: u8,
}

/// Where a gateway stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// Region.
    pub region: u8,
    /// Zone, from 1.
    pub zone: u8,
}

/// A deployment: the sites, and the configuration of each.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    /// The gateways.
    pub sites: Vec<Site>,
    /// Their configurations, in the same order.
    pub configs: Vec<Config>,
}

impl Site {
    fn name(self) -> String {
        format!("r{}z{}", self.region, self.zone)
    }

    /// The gateway's address on the underlay.
    pub(crate) fn underlay(self) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, self.region * 10 + self.zone).into()
    }
}

/// The VPCs of every gateway. Both have the same prefixes: only isolation keeps them apart, and each has a
/// namespace of its own.
pub(crate) const VPCS: [&str; 2] = ["red", "blue"];

/// Regions full of gateways, all of them in the first `vpcs` VPCs.
pub(crate) fn regions(regions: &[Region], vpcs: usize) -> Deployment {
    edited(regions, vpcs, |_, text| text)
}

/// As [`regions`], with the text of every site's configuration changed by `edit`.
pub(crate) fn edited(
    regions: &[Region],
    vpcs: usize,
    edit: impl Fn(Site, String) -> String,
) -> Deployment {
    let sites: Vec<Site> = regions
        .iter()
        .flat_map(|region| (1..=region.gateways).map(|zone| Site { region: region.number, zone }))
        .collect();
    let vpcs = &VPCS[..vpcs];
    let config = |site: &Site| parse(&edit(*site, text(*site, &sites, vpcs)));
    let configs = sites.iter().map(config).collect();
    Deployment { sites, configs }
}

/// Two regions with one gateway each, their configurations changed by `edit`.
pub(crate) fn edited_pair(edit: impl Fn(Site, String) -> String) -> Deployment {
    let one = |number| Region { number, gateways: 1 };
    edited(&[one(1), one(2)], 1, edit)
}

/// Two regions with one gateway each.
pub(crate) fn pair() -> Deployment {
    edited_pair(|_, text| text)
}

/// Three regions with two gateways each.
pub(crate) fn six() -> Deployment {
    let two = |number| Region { number, gateways: 2 };
    regions(&[two(1), two(2), two(3)], 1)
}

/// The same, with a public address of VPC red at both gateways of region 1.
pub(crate) fn with_publics() -> Deployment {
    let mut deployment = segments();
    let ports = [1024..=32_767, 32_768..=65_535];
    for (config, ports) in deployment.configs.iter_mut().zip(ports) {
        let red = config.vpcs.values_mut().next().expect("a VPC");
        let from = red.prefixes.iter().filter(|prefix| prefix.is_ipv4()).copied().collect();
        let address = [203, 0, 113, 10].into();
        let service = ServiceConfig { protocol: protocol::TCP, ports: 443..=443 };
        let (to, to_port) = ([10, 1, 0, 50].into(), Some(8443));
        red.public = vec![PublicConfig { address, ports: vec![service], to, to_port }];
        red.egress = vec![EgressConfig { address, from, ports }];
    }
    deployment
}

/// Region 1 with two gateways and region 2 with one, both VPCs in segments of equal prefixes.
pub(crate) fn segments() -> Deployment {
    let regions = [Region { number: 1, gateways: 2 }, Region { number: 2, gateways: 1 }];
    edited(&regions, VPCS.len(), |site, text| {
        let segment = |text: String, (index, vpc): (usize, &str)| {
            let interface = format!("interface = \"lan{index}\"\n");
            let text = text.replacen(&interface, "", 1);
            let virtual_router = format!("[[vpc.vrrp]]\nvrid = {}\n", index + 1);
            let vxlan = vxlan_text(site, index, vpc);
            text.replacen(&virtual_router, &format!("{vxlan}{virtual_router}"), 1)
        };
        VPCS.into_iter().enumerate().fold(text, segment)
    })
}

fn vxlan_text(site: Site, index: usize, vpc: &str) -> String {
    let Site { region, zone } = site;
    format!(
        "[vpc.vxlan]\nvni = {}\ninterface = \"vx-{vpc}\"\nlocal = \"10.9.{region}.{zone}\"\n\
         vteps = [\"10.9.{region}.11\", \"10.9.{region}.{}\"]\n\
         addresses = [\"10.{region}.0.{}/24\", \"fd00:{region}::{zone}0/64\"]\n",
        100 * (index + 1),
        3 - zone,
        zone + 10,
    )
}

/// The configuration that a text says; key files hold the tests' one shared secret.
pub(crate) fn parse(text: &str) -> Config {
    let keys = KeysInMemory::new()
        .with("psk", "a secret that every test knows, 32 characters")
        .with("other", "a secret that nobody else knows, 32 characters");
    match config::parse(text, "test.toml", &keys) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

/// Scenarios that are not about BFD do without a packet every 50 ms.
pub(crate) const NO_BFD: &str = "bfd = false\n";

/// The text of a site's configuration.
pub(crate) fn text(site: Site, sites: &[Site], vpcs: &[&str]) -> String {
    let mut text = format!(
        "[gateway]\nname = \"{}\"\nasn = {}\nlisten = [\"{}\"]\nrouter_id = \"10.0.{}.{}\"\n\
         [defaults]\nike_suites = [\"aes256gcm16-prfsha256-curve25519\"]\n\
         esp_suites = [\"aes256gcm16-esn\"]\n{NO_BFD}",
        site.name(),
        asn(site),
        site.underlay(),
        site.region,
        site.zone
    );
    for (index, vpc) in vpcs.iter().enumerate() {
        let netns = if vpcs.len() > 1 { format!("netns = \"{vpc}\"\n") } else { String::new() };
        vpc_text(&mut text, site, vpc, index, &netns);
    }
    let others = sites.iter().filter(|other| other.region != site.region);
    others.for_each(|other| peer_text(&mut text, *other, vpcs));
    text
}

fn asn(site: Site) -> u32 {
    4_200_000_000 + u32::from(site.region) * 10 + u32::from(site.zone)
}

fn vpc_text(text: &mut String, site: Site, vpc: &str, index: usize, netns: &str) {
    let region = site.region;
    let _ = write!(
        text,
        "[[vpc]]\nname = \"{vpc}\"\n{netns}interface = \"lan{index}\"\n\
         prefixes = [\"10.{region}.0.0/16\", \"fd00:{region}::/48\"]\n\
         [[vpc.vrrp]]\nvrid = {}\npriority = {}\ninterval = \"300ms\"\n\
         addresses = [\"10.{region}.0.1\", \"fe80::1\", \"fd00:{region}::1\"]\n",
        index + 1,
        200 - site.zone,
    );
}

/// Another gateway, with all VPCs over one IKE SA.
fn peer_text(text: &mut String, other: Site, vpcs: &[&str]) {
    let (region, preference) = (other.region, 200 - u32::from(other.zone));
    let served = match vpcs {
        [only] => format!("vpc = \"{only}\""),
        several => format!("vpcs = {several:?}"),
    };
    let _ = write!(
        text,
        "[[peer]]\nname = \"{}\"\n{served}\nremote_address = \"{}\"\n\
         psk_file = \"psk\"\nremote_asn = {}\nlocal_preference = {preference}\n\
         accept = [\"10.{region}.0.0/16\", \"fd00:{region}::/48\"]\n",
        other.name(),
        other.underlay(),
        asn(other),
    );
}

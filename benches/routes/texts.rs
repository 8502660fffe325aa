//! Configurations of the gateway in question and of the two behind which everything lies.

use anyhow::Result;
use std::net::{IpAddr, Ipv4Addr};
use vpngw::config::{self, Config, KeysInMemory};

/// The gateway's address on the underlay.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Peers.
pub(crate) const PEERS: usize = 2;
/// Its AS.
pub(crate) const ASN: u32 = 64512;

/// The address of a far gateway on the underlay; they are numbered from 0 on.
pub(crate) fn there(number: usize) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, 1 + number as u8).into()
}

/// The far gateway at an address.
pub(crate) fn number_of(address: IpAddr) -> Option<usize> {
    (0..PEERS).find(|number| there(*number) == address)
}

/// The addresses inside the tunnel to a far gateway: ours and the other.
pub(crate) fn inside(number: usize) -> (IpAddr, IpAddr) {
    let address = |last| Ipv4Addr::new(172, 31, number as u8, last).into();
    (address(1), address(2))
}

/// The AS behind a far gateway.
pub(crate) fn asn(number: usize) -> u32 {
    ASN + 1 + number as u32
}

/// The gateway in question. The first peer is preferred.
pub(crate) fn here() -> Result<Config> {
    let mut text = format!(
        "[gateway]\nname = \"here\"\nasn = {ASN}\nlisten = [\"{HERE}\"]\n\
         [[vpc]]\nname = \"v\"\nprefixes = [\"10.1.0.0/16\"]\n\
         [defaults]\ninitiate = false\nhold_time = \"90s\"\nbfd = false\n"
    );
    for number in 0..PEERS {
        let ((local, remote), asn) = (inside(number), asn(number));
        text.push_str(&format!(
            "[[peer]]\nname = \"f{number}\"\nremote_address = \"{}\"\npsk_file = \"psk\"\n\
             remote_asn = {asn}\ninside_local = \"{local}\"\ninside_remote = \"{remote}\"\n\
             accept = [\"20.0.0.0/6\"]\nmax_prefixes = 1000000\nlocal_preference = {}\n",
            there(number),
            200 - 100 * number
        ));
    }
    parse(&text)
}

/// A far gateway, which knows nothing of BGP.
pub(crate) fn far(number: usize) -> Result<Config> {
    let (ours, own) = inside(number);
    parse(&format!(
        "[gateway]\nname = \"f{number}\"\nlisten = [\"{}\"]\n\
         [[vpc]]\nname = \"v\"\nprefixes = [\"20.0.0.0/6\", \"{own}/32\"]\n\
         [[peer]]\nname = \"here\"\nremote_address = \"{HERE}\"\npsk_file = \"psk\"\n\
         static_routes = [\"10.1.0.0/16\", \"{ours}/32\"]\n\
         local_ts = [\"0.0.0.0/0\"]\nremote_ts = [\"0.0.0.0/0\"]\n",
        there(number)
    ))
}

fn parse(text: &str) -> Result<Config> {
    let keys = KeysInMemory::new().with("psk", "one secret for all of the bench");
    Ok(config::parse(text, "bench", &keys)?)
}

//! Configurations of a hub with very many peers, and of its peers.
//!
//! Two neighbouring peers announce the same prefix, so that each stands in for the other.

use anyhow::{Result, bail};
use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use vpngw::config::{self, Config, KeysInMemory};

/// Spokes have the addresses from here on (RFC 6598).
const FIRST_SPOKE: u32 = u32::from_be_bytes([100, 64, 0, 1]);
/// The hub's address on the underlay.
pub(crate) const HUB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Long intervals: during a measurement only those timers are due that it waits for.
const TUNING: &str = "psk_file = \"psk\"\n\
    ike_suites = [\"aes256gcm16-prfsha256-curve25519\"]\n\
    liveness = { interval = \"60s\", timeout = \"60s\", give_up = \"120s\" }\n";

/// How the hub knows where its peers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remote {
    /// `remote_address = "any"`: every peer may be meant by every first message.
    Any,
    /// Each peer has its address.
    Fixed,
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Remote::Any => "any",
            Remote::Fixed => "fixed",
        })
    }
}

impl FromStr for Remote {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Remote> {
        match text {
            "any" => Ok(Remote::Any),
            "fixed" => Ok(Remote::Fixed),
            other => bail!("{other:?} is neither \"any\" nor \"fixed\""),
        }
    }
}

/// The address of a spoke on the underlay.
pub(crate) fn spoke_address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(FIRST_SPOKE + number).into()
}

/// The spoke at an address.
pub(crate) fn spoke_at(address: IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_sub(FIRST_SPOKE),
        IpAddr::V6(_) => None,
    }
}

/// The name of a spoke, which is its identity and its name as a peer.
pub(crate) fn spoke_name(number: u32) -> String {
    format!("s{number}")
}

/// A hub that waits for `peers` spokes.
pub(crate) fn hub(peers: u32, remote: Remote) -> Result<Config> {
    let mut text = format!(
        "[gateway]\nname = \"hub\"\nlisten = [\"{HUB}\"]\n\
         [[vpc]]\nname = \"v\"\nprefixes = [\"172.16.0.0/16\"]\n[defaults]\ninitiate = false\n"
    );
    text.push_str(&TUNING.replacen("psk_file = \"psk\"\n", "", 1));
    for number in 0..peers {
        let (name, prefix) = (spoke_name(number), shared_prefix(number));
        let address = match remote {
            Remote::Any => "any".to_owned(),
            Remote::Fixed => spoke_address(number).to_string(),
        };
        write!(
            text,
            "[[peer]]\nname = \"{name}\"\nremote_address = \"{address}\"\npsk_file = \"psk\"\n\
             static_routes = [\"{prefix}\"]\nlocal_preference = {}\n",
            200 - number % 2
        )?;
    }
    parse(&text)
}

/// A spoke that connects to the hub.
pub(crate) fn spoke(number: u32) -> Result<Config> {
    let (name, address, prefix) =
        (spoke_name(number), spoke_address(number), shared_prefix(number));
    parse(&format!(
        "[gateway]\nname = \"{name}\"\nlisten = [\"{address}\"]\n\
         [[vpc]]\nname = \"v\"\nprefixes = [\"{prefix}\"]\n\
         [[peer]]\nname = \"hub\"\nremote_address = \"{HUB}\"\ninitiate = true\n\
         static_routes = [\"172.16.0.0/16\"]\n{TUNING}"
    ))
}

fn shared_prefix(number: u32) -> String {
    let pair = number / 2;
    format!("10.{}.{}.0/24", pair >> 8, pair & 0xff)
}

fn parse(text: &str) -> Result<Config> {
    let keys = KeysInMemory::new().with("psk", "one secret for all of the bench");
    Ok(config::parse(text, "bench", &keys)?)
}

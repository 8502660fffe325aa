//! Where a peer is on the underlay, as its section says.

use super::diagnostics::Fault;
use super::{PeerConfig, words};
use crate::net::{HostName, ParseHostNameError};
use std::net::IpAddr;
use toml::de::DeValue;

/// Where a peer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    At(IpAddr),
    Named(HostName),
    Anywhere,
}

impl Remote {
    /// The address, if one is written.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Remote::At(address) => Some(*address),
            Remote::Named(_) | Remote::Anywhere => None,
        }
    }
}

/// The address of a peer, its name, or `"any"`.
pub(super) fn remote(value: &DeValue<'_>) -> Result<Remote, Fault> {
    let text = words::text(value)?;
    if text == "any" {
        return Ok(Remote::Anywhere);
    }
    let is_address = text.parse::<IpAddr>().is_ok();
    let loopback = Fault::new(format!("{text} is this host itself")).label("loopback");
    let loopback = loopback.help("write the address or the name of the other gateway, or \"any\"");
    match text.parse::<HostName>() {
        Ok(name) if is_localhost(&name) => Err(loopback),
        Ok(name) => Ok(Remote::Named(name)),
        Err(why) if !is_address && text.contains(|c: char| c.is_ascii_alphabetic()) => {
            Err(no_place(&text, why))
        }
        Err(_) => match words::underlay_address(value)? {
            address if address.is_loopback() => Err(loopback),
            address => Ok(Remote::At(address)),
        },
    }
}

/// RFC 6761 §6.3.
fn is_localhost(name: &HostName) -> bool {
    name.as_str() == "localhost" || name.as_str().ends_with(".localhost")
}

fn no_place(text: &str, why: ParseHostNameError) -> Fault {
    let fault = Fault::new(format!("{text:?} is neither an address nor the whole name of a host"));
    let help = match why {
        ParseHostNameError::Short => format!("write the whole name: \"{text}.example.net\""),
        ParseHostNameError::Number | ParseHostNameError::Length | ParseHostNameError::Character => {
            "write \"192.0.2.1\", \"2001:db8::1\", \"vpn.example.net\" or \"any\"".to_owned()
        }
    };
    fault.label(why.to_string()).help(help)
}

impl PeerConfig {
    /// Whether the file says where it is, by an address or a name.
    pub fn is_placed(&self) -> bool {
        self.remote_address.is_some() || self.remote_name.is_some()
    }
}

//! Where a peer is on the underlay, as its section says.

use super::diagnostics::{Fault, Report};
use super::reader::{At, Section};
use super::{PeerConfig, words};
use crate::net::{HostName, ParseHostNameError};
use std::net::IpAddr;
use toml::de::DeValue;

/// Addresses of one peer at most that are tried: each takes some seconds when nobody is there, and is
/// measured while the tunnel is elsewhere.
pub(super) const MAX_ADDRESSES: usize = 8;

/// Where a peer is.
#[derive(Clone, Debug)]
pub(super) enum Remote {
    /// At one of these, in the order of trying; one at least.
    At(Vec<At<IpAddr>>),
    Named(HostName),
    Anywhere,
}

/// What stands for one place.
enum Word {
    At(IpAddr),
    Named(HostName),
    Any,
}

impl Remote {
    /// The addresses that are written.
    pub(super) fn addresses(&self) -> &[At<IpAddr>] {
        match self {
            Remote::At(addresses) => addresses,
            Remote::Named(_) | Remote::Anywhere => &[],
        }
    }
}

/// `remote_address`: an address of the peer, several, its name, or `"any"`.
pub(super) fn read(section: &Section<'_>, report: &mut Report) -> Option<Remote> {
    if let Some(DeValue::Array(_)) = section.raw("remote_address").map(|raw| raw.get_ref()) {
        return several(section, report).map(Remote::At);
    }
    let help = "remote_address = \"203.0.113.7\": where the peer is, its name, or \"any\"";
    let At { value, span } = section.required("remote_address", help, word, report)?;
    Some(match value {
        Word::At(value) => Remote::At(vec![At { value, span }]),
        Word::Named(name) => Remote::Named(name),
        Word::Any => Remote::Anywhere,
    })
}

/// The addresses of a peer with several; none when something is wrong with one.
fn several(section: &Section<'_>, report: &mut Report) -> Option<Vec<At<IpAddr>>> {
    let faults = report.len();
    let addresses = section.list("remote_address", one_of_several, report)?;
    let span = section.span_of("remote_address");
    if addresses.is_empty() && report.len() == faults {
        let fault = Fault::new("the list of the peer's addresses is empty").label("where is it?");
        report.add(span, fault.help("write its addresses, or \"any\" without [ ]"));
    } else if let Some(surplus) = addresses.get(MAX_ADDRESSES) {
        let fault = Fault::new(format!("a peer has at most {MAX_ADDRESSES} addresses"));
        let help = "each is tried when the peer does not answer, and measured else: leave out those \
                    that share their way with another";
        report.add(surplus.span.clone(), fault.label("one too many").help(help));
    }
    for (index, again) in addresses.iter().enumerate() {
        let first = addresses.iter().take(index).find(|first| first.value == again.value);
        if let Some(first) = first {
            let fault = Fault::new(format!("{} is in the list twice", again.value));
            let fault = fault.label("again here").beside(first.span.clone(), "first here");
            report.add(again.span.clone(), fault.help("write each address once"));
        }
    }
    (report.len() == faults).then_some(addresses)
}

fn one_of_several(value: &DeValue<'_>) -> Result<IpAddr, Fault> {
    match word(value)? {
        Word::At(address) => Ok(address),
        Word::Named(name) => Err(Fault::new(format!("the host name {name} is in a list"))
            .label("addresses only")
            .help(format!(
                "write its addresses here; or remote_address = \"{name}\" alone: all addresses that a \
                 name has are used"
            ))),
        Word::Any => Err(Fault::new("\"any\" is in a list")
            .label("it leaves nothing to the others")
            .help("leave it out; or write remote_address = \"any\" alone, and wait for the peer")),
    }
}

fn word(value: &DeValue<'_>) -> Result<Word, Fault> {
    let text = words::text(value)?;
    if text == "any" {
        return Ok(Word::Any);
    }
    let is_address = text.parse::<IpAddr>().is_ok();
    let loopback = Fault::new(format!("{text} is this host itself")).label("loopback");
    let loopback = loopback.help("write the address or the name of the other gateway, or \"any\"");
    match text.parse::<HostName>() {
        Ok(name) if is_localhost(&name) => Err(loopback),
        Ok(name) => Ok(Word::Named(name)),
        Err(why) if !is_address && text.contains(|c: char| c.is_ascii_alphabetic()) => {
            Err(no_place(&text, why))
        }
        Err(_) => match words::underlay_address(value)? {
            address if address.is_loopback() => Err(loopback),
            address => Ok(Word::At(address)),
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

    /// The addresses at which it may be, as far as is known.
    pub fn places(&self) -> impl Iterator<Item = IpAddr> {
        let one = self.remote_address.filter(|one| !self.remote_addresses.contains(one));
        self.remote_addresses.iter().copied().chain(one)
    }
}

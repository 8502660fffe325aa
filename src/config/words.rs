//! The words of the file: how each kind of value is written, and what is said when it is not.

use super::diagnostics::Fault;
use super::reader::described;
use super::{Identity, ParseIdentityError, ServiceConfig, limits};
use crate::crypto::suite::{EspSuite, IkeSuite, PostQuantum, SuiteError};
use crate::net::{Asn, Encapsulation, InterfaceAddress, OuterDscp, ParseDscpError, Prefix};
use crate::routing::policy::Role;
use crate::wire::ip::protocol;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::de::DeValue;

/// The longest name of a network interface (Linux `IFNAMSIZ` less the terminator).
const INTERFACE_NAME_MAX: usize = 15;
/// The longest name of a gateway, a VPC or a peer: it becomes part of file names and labels.
const NAME_MAX: usize = 63;
/// More needs no name of a key.
const PPK_ID_MAX: usize = 64;

/// Any text.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Fault> {
    string(value).map(str::to_owned)
}

fn string<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Fault> {
    let wrong = || {
        let message = format!("a string is expected here, not {}", described(value));
        Fault::new(message).label("write it in \"quotes\"")
    };
    value.as_str().ok_or_else(wrong)
}

/// Text that names a file.
pub(super) fn path(value: &DeValue<'_>) -> Result<String, Fault> {
    let path = string(value)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Fault::new("a path of a file is expected here").label("not a path"));
    }
    Ok(path.to_owned())
}

/// What we are to a neighbour of another AS.
pub(super) fn role(value: &DeValue<'_>) -> Result<Role, Fault> {
    let text = string(value)?;
    text.parse().map_err(|()| {
        Fault::new(format!("{text:?} is no role of BGP (RFC 9234)")).label("not a role").help(
            "write what this side is to the peer: \"provider\", \"customer\", \"peer\", \"rs\" or \
             \"rs-client\"",
        )
    })
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Fault> {
    let message = || format!("true or false is expected here, not {}", described(value));
    value.as_bool().ok_or_else(|| Fault::new(message()).label("write true or false"))
}

/// The name of a gateway, a VPC or a peer.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, Fault> {
    let name = string(value)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.chars().all(allowed) && name.len() <= NAME_MAX {
        return Ok(name.to_owned());
    }
    Err(Fault::new(format!("{name:?} cannot be a name")).label("not a name").help(format!(
        "a name begins with a letter or digit, has letters, digits, '-', '_' and '.', \
         and at most {NAME_MAX} of them, for example \"east-a\""
    )))
}

/// The name of a network interface with hosts behind it.
pub(super) fn interface(value: &DeValue<'_>) -> Result<String, Fault> {
    let name = string(value)?;
    // Linux puts a number in the place of '%d'.
    let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
    let special = matches!(name, "" | "." | "..");
    let wrong = || Fault::new(format!("{name:?} cannot name a network interface"));
    if special || name.len() > INTERFACE_NAME_MAX || !name.chars().all(allowed) {
        return Err(wrong().label("not an interface name").help(format!(
            "Linux takes 1 to {INTERFACE_NAME_MAX} characters without spaces, '/', ':' and '%'"
        )));
    }
    match name {
        "lo" => Err(wrong()
            .label("this is the host's loopback")
            .help("write the interface that leads to the hosts")),
        "all" | "default" => Err(wrong()
            .label("Linux's word for every interface (net.ipv4.conf)")
            .help("write the name of one interface, as `ip link` shows it")),
        _ => Ok(name.to_owned()),
    }
}

/// An integer in `range`, which messages call `what`.
pub(super) fn integer<T>(
    what: &'static str,
    range: RangeInclusive<T>,
) -> impl Fn(&DeValue<'_>) -> Result<T, Fault>
where
    T: TryFrom<i128> + PartialOrd + Display,
{
    move |value| {
        let DeValue::Integer(digits) = value else {
            let message = format!("{what} must be an integer, not {}", described(value));
            return Err(Fault::new(message).label(limits(&range)));
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).ok();
        let fitting = number.and_then(|number| T::try_from(number).ok());
        fitting.filter(|number| range.contains(number)).ok_or_else(|| {
            let message = format!("{what} is out of range");
            Fault::new(message).label(limits(&range))
        })
    }
}

fn limits<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("must be from {} to {}", range.start(), range.end())
}

/// A four-octet ASN that may be used (RFC 7607 forbids 0, RFC 7300 the last ones; RFC 6793
/// keeps 23456 for AS_TRANS).
pub(super) fn asn(value: &DeValue<'_>) -> Result<Asn, Fault> {
    let number = integer("an autonomous system number", 1..=u32::MAX - 1)(value)?;
    let reserved = match number {
        23456 => Some("23456 stands for AS_TRANS (RFC 6793)"),
        65535 => Some("65535 is reserved (RFC 7300)"),
        _ => None,
    };
    match reserved {
        Some(why) => Err(Fault::new("this autonomous system number is reserved")
            .label(why)
            .help("private numbers are 64512 to 65534 and 4200000000 to 4294967294 (RFC 6996)")),
        None => Ok(Asn(number)),
    }
}

/// A unicast address.
pub(super) fn address(value: &DeValue<'_>) -> Result<IpAddr, Fault> {
    let address = any_address(value)?;
    if address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST {
        let message = format!("{address} is not the address of one host");
        return Err(Fault::new(message).label("a unicast address is expected"));
    }
    if address.to_canonical() != address {
        let message = format!("{address} is an IPv4 address in the clothes of IPv6");
        let help = format!("write \"{}\"", address.to_canonical());
        return Err(Fault::new(message).label("IPv4-mapped (RFC 4291 §2.5.5.2)").help(help));
    }
    Ok(address)
}

/// An address on the underlay: one that means the same on every link.
pub(super) fn underlay_address(value: &DeValue<'_>) -> Result<IpAddr, Fault> {
    let address = address(value)?;
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            let message = format!("{address} is link-local: it means nothing without its link");
            Err(Fault::new(message)
                .label("link-local (RFC 4291 §2.5.6)")
                .help("use an address that is routed between the gateways"))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(address),
    }
}

/// An address to receive on: unicast, or unspecified for all.
pub(super) fn listen_address(value: &DeValue<'_>) -> Result<IpAddr, Fault> {
    let all = any_address(value)?;
    if all.is_unspecified() { Ok(all) } else { underlay_address(value) }
}

fn any_address(value: &DeValue<'_>) -> Result<IpAddr, Fault> {
    let text = string(value)?;
    text.parse().map_err(|_| {
        let fault = Fault::new(format!("{text:?} is not an IP address")).label("not an address");
        match text.split_once('/').map(|(address, _)| address.parse::<IpAddr>()) {
            Some(Ok(address)) => fault.help(format!("leave the length out: \"{address}\"")),
            Some(Err(_)) | None => fault.help("write it as \"192.0.2.1\" or \"2001:db8::1\""),
        }
    })
}

/// An address inside a tunnel; a prefix length, as clouds print it, may follow.
pub(super) fn inside_address(value: &DeValue<'_>) -> Result<IpAddr, Fault> {
    let text = string(value)?;
    let Some((bare, length)) = text.split_once('/') else { return address(value) };
    let length_is_number = length.parse::<u8>().is_ok_and(|length| length <= 128);
    let bare = DeValue::String(bare.into());
    if length_is_number { address(&bare) } else { address(value) }
}

/// An address of a device with the length of its network.
pub(super) fn interface_address(value: &DeValue<'_>) -> Result<InterfaceAddress, Fault> {
    let text = string(value)?;
    let parsed: InterfaceAddress = text.parse().map_err(|_| {
        Fault::new(format!("{text:?} is not an address with the length of its network"))
            .label("not such an address")
            .help("write it as \"10.1.1.2/24\" or \"fd00:1:0:1::2/64\"")
    })?;
    address(&DeValue::String(parsed.address.to_string().into()))?;
    Ok(parsed)
}

/// A prefix in canonical form.
pub(super) fn prefix(value: &DeValue<'_>) -> Result<Prefix, Fault> {
    use crate::net::ParsePrefixError::{HostBits, Malformed};
    let text = string(value)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Err(without_length(address));
    }
    let prefix: Prefix = text.parse().map_err(|error| match error {
        HostBits { given, network } => {
            Fault::new(format!("{given} is an address in a network, not a network"))
                .label("has bits set after the prefix length")
                .help(format!("write \"{network}\""))
        }
        Malformed(given) => Fault::new(format!("{given:?} is not a prefix"))
            .label("not a prefix")
            .help("write it as address/length, for example \"10.1.0.0/16\" or \"fd00:1::/48\""),
    })?;
    forwarded(prefix)
}

/// An address without a length would be a network of one, which is seldom meant.
fn without_length(address: IpAddr) -> Fault {
    let (likely, host) = match address {
        IpAddr::V4(v4) => match v4.octets() {
            [_, 0, 0, 0] => (8, 32),
            [_, _, 0, 0] => (16, 32),
            [_, _, _, 0] => (24, 32),
            _ => (32, 32),
        },
        IpAddr::V6(v6) if v6.segments()[4..] == [0; 4] => (64, 128),
        IpAddr::V6(_) => (128, 128),
    };
    let fault = Fault::new(format!("{address} has no length")).label("an address, not a network");
    match likely == host {
        true => fault.help(format!("write \"{address}/{host}\" for this one address")),
        false => fault.help(format!(
            "write \"{address}/{likely}\", or \"{address}/{host}\" for this one address"
        )),
    }
}

/// No packet to or from these is ever taken from host to host by a tunnel (RFC 6890 §2.2.2, RFC 4291
/// §2.5.2, §2.5.3, §2.5.5.2, §2.5.6, §2.7). IPv4's link-local addresses are not among them: clouds number
/// tunnels by them.
fn forwarded(prefix: Prefix) -> Result<Prefix, Fault> {
    let [first, last] = [prefix.addr(), prefix.last_addr()].map(unforwarded);
    let Some(kind) = first.filter(|_| first == last) else { return Ok(prefix) };
    let message = format!("{prefix} is {kind}, which no tunnel carries");
    Err(Fault::new(message).label(kind).help("write a network of hosts"))
}

fn unforwarded(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_loopback() => Some("loopback"),
        _ if address.is_multicast() => Some("multicast"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("broadcast"),
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Some("\"this network\""),
        IpAddr::V6(v6) if v6.is_unspecified() => Some("unspecified"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("link-local"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("IPv4-mapped"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// A service of this host, as in `tcp/22` or `udp/4000-4010`.
pub(super) fn service(value: &DeValue<'_>) -> Result<ServiceConfig, Fault> {
    let text = string(value)?;
    let help = "write the protocol (tcp, udp or sctp), a slash and the port, or the first and the \
                last one: \"tcp/22\", \"udp/4000-4010\"";
    let wrong = || Fault::new(format!("{text:?} is not a service")).label("not a service");
    let (protocol, ports) = text.split_once('/').ok_or_else(|| wrong().help(help))?;
    let protocol = match protocol {
        "tcp" => protocol::TCP,
        "udp" => protocol::UDP,
        "sctp" => protocol::SCTP,
        _ => return Err(wrong().help(help)),
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    match (first.parse(), last.parse()) {
        (Ok(first @ 1..), Ok(last)) if first <= last => {
            Ok(ServiceConfig { protocol, ports: first..=last })
        }
        _ => Err(wrong().help(help)),
    }
}

/// An identity (RFC 7296 §3.5).
pub(super) fn identity(value: &DeValue<'_>) -> Result<Identity, Fault> {
    string(value)?.parse().map_err(|error: ParseIdentityError| {
        Fault::new(error.to_string()).label("not an identity").help(
            "write a name (\"east-a\"), an address (\"192.0.2.1\"), a mail address \
             (\"vpn@example.com\") or \"keyid:…\" for opaque bytes; \"fqdn:…\" and \"rfc822:…\" \
             force a type",
        )
    })
}

/// A duration with its unit, in `range`.
pub(super) fn duration(
    what: &'static str,
    range: RangeInclusive<Duration>,
) -> impl Fn(&DeValue<'_>) -> Result<Duration, Fault> {
    move |value| {
        let text = match value {
            DeValue::Integer(digits) => return Err(unitless(what, digits.as_str())),
            DeValue::Float(digits) => return Err(unitless(what, digits.as_str())),
            other => string(other)?,
        };
        let duration = parse_duration(text).ok_or_else(|| {
            Fault::new(format!("{text:?} is not a duration"))
                .label("not a duration")
                .help("write a number with ms, s, m, h or d, for example \"1.5s\" or \"4h\"")
        })?;
        if range.contains(&duration) {
            return Ok(duration);
        }
        let limits = format!("must be from {:?} to {:?}", range.start(), range.end());
        Err(Fault::new(format!("{what} is out of range")).label(limits))
    }
}

fn unitless(what: &str, digits: &str) -> Fault {
    Fault::new(format!("{what} needs a unit")).label(format!("write \"{digits}s\" for seconds"))
}

/// Not by `humantime`, to which `5M` is five months, nor by `jiff`, which takes no days.
fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let number: f64 = number.trim_end().parse().ok()?;
    let micros = (number * seconds * 1e6).round();
    (0.0..1e18).contains(&micros).then(|| Duration::from_micros(micros as u64))
}

/// A size of the anti-replay window.
pub(super) fn replay_window(value: &DeValue<'_>) -> Result<u32, Fault> {
    let packets = integer("the replay window", limits::REPLAY_WINDOW)(value)?;
    if packets.is_power_of_two() {
        return Ok(packets);
    }
    Err(Fault::new(format!("the replay window must be a power of two, {packets} is not"))
        .label("not a power of two")
        .help(format!("write {}", packets.next_power_of_two())))
}

/// How both sides call a post-quantum pre-shared key.
pub(super) fn ppk_id(value: &DeValue<'_>) -> Result<String, Fault> {
    let id = string(value)?;
    let allowed = |c: char| c.is_ascii_graphic() || c == ' ';
    if (1..=PPK_ID_MAX).contains(&id.len()) && id.chars().all(allowed) {
        return Ok(id.to_owned());
    }
    let what = "printable characters of ASCII";
    Err(Fault::new(format!("{id:?} cannot name a post-quantum pre-shared key"))
        .label("not a name of a key")
        .help(format!("write 1 to {PPK_ID_MAX} {what}, the same as at the peer")))
}

/// Whether ML-KEM stands beside the key exchange.
pub(super) fn post_quantum(value: &DeValue<'_>) -> Result<PostQuantum, Fault> {
    let help =
        "write \"prefer\" (with peers that know how), \"require\" (or no tunnel), or \"off\"";
    if let Some(on) = value.as_bool() {
        let word = if on { "require" } else { "off" };
        let fault = Fault::new(format!("`post_quantum` is a word, not {on}"));
        return Err(fault.label(format!("write \"{word}\"")).help(help));
    }
    let word = string(value)?;
    let all = [PostQuantum::Prefer, PostQuantum::Require, PostQuantum::Off];
    let known = all.into_iter().find(|one| one.to_string() == word);
    known.ok_or_else(|| {
        Fault::new(format!("{word:?} is no way to use ML-KEM")).label("not known").help(help)
    })
}

/// In what IKE and ESP go.
pub(super) fn encapsulation(value: &DeValue<'_>) -> Result<Encapsulation, Fault> {
    let help = "write \"udp\", \"auto\" (in TCP while UDP is not answered), or \"tcp\"";
    let word = string(value)?;
    let all = [Encapsulation::Udp, Encapsulation::Auto, Encapsulation::Tcp];
    let known = all.into_iter().find(|one| one.to_string() == word);
    known.ok_or_else(|| {
        Fault::new(format!("{word:?} is no encapsulation")).label("not known").help(help)
    })
}

/// What DSCP datagrams have: `"copy"`, a name, or a number.
pub(super) fn outer_dscp(value: &DeValue<'_>) -> Result<OuterDscp, Fault> {
    let number = value.as_integer().map(|number| number.as_str().to_owned());
    let word = number.map_or_else(|| text(value), Ok)?;
    if word == "copy" {
        return Ok(OuterDscp::Copied);
    }
    word.parse().map(OuterDscp::Fixed).map_err(|error: ParseDscpError| {
        Fault::new(error.to_string()).label("not known").help(
            "write \"copy\" for that of each packet, a name such as \"cs0\", \"af21\" or \"ef\", \
             or a number from 0 to 63",
        )
    })
}

/// An IKE suite by its words, as in `aes256gcm16-prfsha384-curve25519`.
pub(super) fn ike_suite(value: &DeValue<'_>) -> Result<IkeSuite, Fault> {
    string(value)?.parse().map_err(suite_fault)
}

/// An ESP suite by its words, as in `aes256gcm16-esn`.
pub(super) fn esp_suite(value: &DeValue<'_>) -> Result<EspSuite, Fault> {
    string(value)?.parse().map_err(suite_fault)
}

fn suite_fault(error: SuiteError) -> Fault {
    match error {
        SuiteError::Unknown { word, kind, nearest, known, .. } => {
            let message = format!("`{word}` is not a word of {kind} suites that vpngw has");
            let fault = Fault::new(message).label(format!("`{word}` is not known"));
            let exist = format!("{kind} suites are made of: {}", known.join(", "));
            match nearest {
                Some(near) => fault.help(format!("did you mean `{near}`? {exist}")),
                None => fault.help(exist),
            }
        }
        SuiteError::Twice { role, .. } => {
            Fault::new(format!("this suite names {role} twice")).label("write one suite per string")
        }
        SuiteError::Superfluous { kind, integrity, aead, .. } => {
            let or_prf = format!(", or write `prf{integrity}` for the PRF");
            let or_prf = if kind == "IKE" { or_prf.as_str() } else { "" };
            Fault::new(format!("{aead} protects integrity by itself"))
                .label(format!("`{integrity}` has no place here"))
                .help(format!("leave `{integrity}` out{or_prf}"))
        }
        SuiteError::Missing { suite, role, example } => {
            let noun = role.split_once(' ').map_or(role, |(_, noun)| noun);
            Fault::new(format!("this suite lacks {role}"))
                .label(format!("no {noun}"))
                .help(format!("for example \"{suite}-{example}\""))
        }
    }
}

#[cfg(test)]
mod tests;

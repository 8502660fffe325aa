//! SAs as an operator sees them.

use super::Traffic;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// An IKE SA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IkeSaView {
    /// The initiator's SPI in hexadecimal.
    pub initiator_spi: String,
    /// The responder's SPI in hexadecimal.
    pub responder_spi: String,
    /// Our part in it.
    pub role: Role,
    /// Its suite.
    pub suite: String,
    /// Its key exchanges beside that of the suite, as in `mlkem768`; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub beside: String,
    /// Whether both sides have authenticated all of IKE_SA_INIT, so that nobody between them has
    /// taken the better proposals out.
    #[serde(default)]
    pub transcript: bool,
    /// Whether a post-quantum pre-shared key is in its keys (RFC 8784).
    #[serde(default)]
    pub ppk: bool,
    /// Where we are; with port 0 in TCP.
    pub local: SocketAddr,
    /// Where the peer is.
    pub remote: SocketAddr,
    /// Which side is behind NAT, in words: `none`, `local`, `remote`, `both`.
    pub nat: String,
    /// Its age.
    pub age_ms: u64,
    /// Time until it is replaced.
    pub rekey_in_ms: Option<u64>,
}

/// Who began an IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// We did.
    Initiator,
    /// The peer did.
    Responder,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Initiator => "initiator",
            Role::Responder => "responder",
        })
    }
}

/// A Child SA: a pair of ESP SAs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChildSaView {
    /// SPI of what the peer sends, in hexadecimal.
    pub inbound_spi: String,
    /// SPI of what we send, in hexadecimal.
    pub outbound_spi: String,
    /// Its suite.
    pub suite: String,
    /// Whether both ends have agreed that packets share datagrams and are cut (RFC 9347).
    #[serde(default)]
    pub aggfrag: bool,
    /// What it is used for now.
    pub state: ChildSaState,
    /// Its age.
    pub age_ms: u64,
    /// Time until it is replaced.
    pub rekey_in_ms: Option<u64>,
    /// ESP packets received on it, and their inner bytes.
    pub received: Traffic,
    /// ESP packets sent on it, and their inner bytes.
    pub sent: Traffic,
    /// The anti-replay window.
    pub replay: ReplayView,
    /// Our side's traffic selectors.
    pub local_ts: Vec<String>,
    /// The peer's side's traffic selectors.
    pub remote_ts: Vec<String>,
}

/// What a Child SA is used for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChildSaState {
    /// For sending and receiving.
    Active,
    /// For receiving; the peer has not used it yet.
    Receiving,
}

impl fmt::Display for ChildSaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChildSaState::Active => "active",
            ChildSaState::Receiving => "receiving",
        })
    }
}

/// An anti-replay window (RFC 4303 §3.4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReplayView {
    /// Its size in packets.
    pub window: u32,
    /// Packets that came twice.
    pub replayed: u64,
    /// Packets that came after the window had passed them.
    pub late: u64,
    /// Sequence numbers that the window passed and nobody ever sent us.
    pub lost: u64,
}

/// `GET /v1/sas`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SasView {
    /// Who answers.
    pub gateway: String,
    /// The SAs by peer.
    pub tunnels: Vec<TunnelSas>,
}

/// The SAs with one peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TunnelSas {
    /// The peer.
    pub peer: String,
    /// The VPC.
    pub vpc: String,
    /// The IKE SA.
    pub ike_sa: Option<IkeSaView>,
    /// The Child SAs.
    pub child_sas: Vec<ChildSaView>,
}

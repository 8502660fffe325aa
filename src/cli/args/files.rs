//! The arguments of commands that work on files of this host: configurations, keys, certificates.

use crate::cli::complete;
use clap::{Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use std::net::IpAddr;
use std::path::PathBuf;

/// What a new configuration says.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct InitArgs {
    /// Name of the gateway; that of the host when left out
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// A prefix behind the gateway; the host's private networks when left out
    #[arg(long, value_name = "PREFIX")]
    pub(in crate::cli) prefix: Vec<String>,
    /// Its autonomous system; a private one is drawn when left out
    #[arg(long, value_name = "NUMBER")]
    pub(in crate::cli) asn: Option<u32>,
    /// An address at which peers find it; the one of the default route when left out
    #[arg(long, value_name = "ADDRESS")]
    pub(in crate::cli) listen: Vec<IpAddr>,
    /// What all gateways call the network behind them
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(in crate::cli) vpc: String,
    /// The interface towards the hosts
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) interface: Option<String>,
    /// The file, which is new; the key pair goes beside it
    #[arg(long, value_name = "FILE", default_value = "/etc/vpngw/vpngw.toml")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(in crate::cli) config: PathBuf,
}

/// Changes to the peers of a configuration.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PeerCommand {
    /// Add a peer
    Add(Box<PeerArgs>),
    /// Take a peer out of the file, with the comments right above it
    Remove {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        name: String,
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = "/etc/vpngw/vpngw.toml")]
        #[arg(value_hint = ValueHint::FilePath)]
        config: PathBuf,
    },
}

/// What a new peer's section says: vpngw.toml(5).
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct PeerArgs {
    /// Name of the peer, and its identity unless --identity says another
    pub(in crate::cli) name: String,
    /// Where it is: its address, its host name, or "any"
    #[arg(long)]
    pub(in crate::cli) address: String,
    /// Its public key, as `vpnctl pubkey` prints it
    #[arg(long, value_name = "KEY", group = "proof")]
    pub(in crate::cli) public_key: Option<String>,
    /// File with its public key
    #[arg(long, value_name = "FILE", group = "proof", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) public_key_file: Option<String>,
    /// File with the secret that it shares with us
    #[arg(long, value_name = "FILE", group = "proof", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) psk_file: Option<String>,
    /// Make a secret to share with it, NAME.psk beside the configuration
    #[arg(long, group = "proof")]
    pub(in crate::cli) new_psk: bool,
    /// Its autonomous system, for BGP
    #[arg(long, value_name = "NUMBER")]
    pub(in crate::cli) asn: Option<u32>,
    /// A prefix that it may announce
    #[arg(long, value_name = "PREFIX")]
    pub(in crate::cli) accept: Vec<String>,
    /// A prefix behind it, where there is no BGP
    #[arg(long, value_name = "PREFIX", conflicts_with = "asn")]
    pub(in crate::cli) route: Vec<String>,
    /// The VPC of the tunnel, where there are several
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) vpc: Option<String>,
    /// Who it must prove to be
    #[arg(long)]
    pub(in crate::cli) identity: Option<String>,
    /// A cloud that it is a VPN gateway of
    #[arg(long)]
    pub(in crate::cli) preset: Option<String>,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/vpngw/vpngw.toml")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(in crate::cli) config: PathBuf,
}

/// An authority in a folder of this host.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CaCommand {
    /// Make an authority
    Init {
        /// Its folder, which is made
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// What it is called
        #[arg(long, default_value = "vpngw CA")]
        name: String,
        /// Days for which it is valid
        #[arg(long, default_value_t = 3650)]
        days: u16,
    },
    /// Make a private key and a certificate for a gateway
    Issue {
        /// Folder of the authority
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// Identity of the gateway: a name, a mail address or an address
        name: String,
        /// Another identity of it
        #[arg(long, value_name = "IDENTITY")]
        also: Vec<String>,
        /// Days for which it is valid
        #[arg(long, default_value_t = 30)]
        days: u16,
        /// Kind of the key
        #[arg(long, value_enum, default_value_t)]
        key: KeyKind,
        /// Where NAME.key and NAME.crt are written
        #[arg(short, long, value_name = "FOLDER", default_value = ".")]
        #[arg(value_hint = ValueHint::DirPath)]
        output: PathBuf,
    },
    /// Make a new certificate in place of one, for the same key and names
    Renew {
        /// Folder of the authority
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// File with the certificate, which is replaced; for one in FOLDER/issued, that in FOLDER/current
        #[arg(value_hint = ValueHint::FilePath, required_unless_present = "due")]
        file: Option<PathBuf>,
        /// Instead of a file, all that have a third of their life left or less, into FOLDER/current, and
        /// the revocation list, too: what a timer runs
        #[arg(long, conflicts_with = "file")]
        due: bool,
        /// Days for which the new one is valid; with --due at least, and as many as the old one was
        #[arg(long, default_value_t = 30)]
        days: u16,
    },
    /// Revoke certificates; without one, only sign the revocation list anew
    Revoke {
        /// Folder of the authority
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// Certificate file, serial number or identity
        which: Vec<String>,
        /// Days after which a newer list must follow
        #[arg(long, default_value_t = 30)]
        days: u16,
    },
    /// Show what the authority has issued
    List {
        /// Folder of the authority
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// The kind of a private key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum KeyKind {
    /// ECDSA on P-256, which every peer takes
    #[default]
    P256,
    /// ECDSA on P-384
    P384,
    /// Ed25519
    Ed25519,
}

//! The arguments of `vpnctl`.

mod files;
mod flow;

pub(super) use files::{CaCommand, InitArgs, KeyKind, PeerArgs, PeerCommand};

pub(super) use flow::Flow;

use super::complete;
use crate::lab::FaultKind;
use crate::net::Prefix;
use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Looks at vpngw gateways and steers them.
///
/// Without --socket or --gateway, `vpnctl` speaks to every gateway that runs on this host.
#[derive(Debug, Parser)]
#[command(name = "vpnctl", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = "Try first:  vpnctl lab up      brings six gateways to life on this host
            vpnctl peers       one line for each of their tunnels

Ends with 0 when all is well, 1 when something is down or wrong, 2 when the command cannot be
carried out, 3 when no gateway answers.")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// Control socket of the gateway
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "gateway")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(super) socket: Option<PathBuf>,
    /// Name of the gateway, when several run on this host
    #[arg(short, long, global = true, value_name = "NAME")]
    #[arg(add = ArgValueCompleter::new(complete::gateways))]
    pub(super) gateway: Option<String>,
    /// Process number of the gateway, as systemd knows it
    #[arg(long, global = true, value_name = "PID", conflicts_with_all = ["socket", "gateway"])]
    pub(super) pid: Option<i32>,
    /// Print JSON, one line per gateway, errors included
    #[arg(long, global = true, conflicts_with = "format")]
    pub(super) json: bool,
    /// How to print what is shown
    ///
    /// When left out, the environment variable VPNCTL_FORMAT says it; without that it is a table on a
    /// terminal or with --color always, and plain anywhere else.
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(super) format: Option<Format>,
    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(super) color: ColorChoice,
}

/// How views look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Aligned columns, as wide as the terminal.
    Table,
    /// All columns, separated by tabs and under each other: for `less`, mail, `cut` and `awk`.
    Plain,
    /// All columns, separated by one tab and nothing else: for exact comparison.
    Tsv,
    /// JSON, one line per gateway.
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which peers are shown, and in what order.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Choice {
    /// Only peers with which not all is well
    #[arg(short, long, conflicts_with = "name")]
    pub(super) down: bool,
    /// Only peers of this VPC
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    #[arg(add = ArgValueCompleter::new(complete::vpcs))]
    pub(super) vpc: Option<String>,
    /// The order of the peers
    #[arg(short, long, value_enum, value_name = "ORDER", default_value_t)]
    pub(super) sort: Order,
}

/// In what order peers stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Order {
    /// By their names.
    #[default]
    Name,
    /// The worst first.
    State,
    /// The shortest round trip first.
    Rtt,
    /// The most traffic first.
    Traffic,
}

/// Repeats a view.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Watch {
    /// Show it again and again, every SECONDS
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    #[arg(value_parser = seconds)]
    pub(super) watch: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, such as 0.5".to_owned())?;
    match seconds {
        0.1..=3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("from 0.1 to 3600 seconds".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the peers and whether all is well with them, or one peer in depth
    ///
    /// Ends with 0 when all is well, 1 when something is down, and otherwise when it could not be
    /// found out.
    Peers {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        name: Option<String>,
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show what happened, with its cause and what to do
    Events {
        /// Only what is about this peer
        #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::peers))]
        peer: Option<String>,
        /// Only what somebody should look at
        #[arg(short, long)]
        warnings: bool,
        /// Go on with what happens from now on
        #[arg(short, long)]
        follow: bool,
    },
    /// Show what becomes of a packet to an address, step by step
    ///
    /// Ends with 1 when it does not arrive.
    Why {
        /// Where the packet goes
        address: IpAddr,
        /// Where it comes from
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
        #[command(flatten)]
        flow: Flow,
    },
    /// Show the peers of all gateways as they are, and what happens, until q is pressed
    Top,
    /// Show every prefix, the peer that its traffic goes to, and why
    Routes {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show the security associations
    Sas {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show the virtual routers and who answers for their addresses
    Vrrp {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show the VPCs on this side, with the VXLAN segments of their hosts
    ///
    /// Ends with 1 when the host refuses something of one.
    Vpcs {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show what is translated between public addresses and hosts of the VPCs
    ///
    /// Ends with 1 when the host refuses something of it.
    Nat {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show the counters of the gateway as a whole
    Stats {
        #[command(flatten)]
        watch: Watch,
    },
    /// Print everything countable in the format of Prometheus
    Metrics,
    /// Send echoes through the tunnel to a peer: round trip, loss each way, MTU
    ///
    /// Which way ESP packets were lost meanwhile, echoes and all others, the peer tells when it is a vpngw; of
    /// other peers only the way back is known.
    ///
    /// Ends with 1 when one was lost.
    Ping {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        peer: String,
        /// An address behind the peer, instead of its own inside the tunnel
        #[arg(long, value_name = "ADDRESS", conflicts_with = "through")]
        to: Option<IpAddr>,
        /// To whoever answers in a prefix behind the peer, in the SA that carries it
        ///
        /// The first addresses of the prefix are asked; where none of them is a host, name one with --to.
        #[arg(long, value_name = "PREFIX")]
        through: Option<Prefix>,
        /// Length of the IP packets inside the tunnel, in bytes
        #[arg(long, value_name = "BYTES")]
        size: Option<u16>,
        /// How many
        #[arg(short, long, value_name = "NUMBER", default_value_t = 5)]
        count: u16,
    },
    /// Write a peer's packets to a file that Wireshark reads, before and behind the encryption
    ///
    /// ESP and IKE on the underlay's device, and on the VPC's device what is from or to the peer's
    /// prefixes. Nothing is decrypted unless --keys says so; the file is for its owner only.
    Capture {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        peer: String,
        /// The file, which is new; standard output when left out
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
        /// Write the keys of the peer's SAs, too, into a new folder that Wireshark takes for its configuration
        ///
        /// Whoever has the folder reads what these SAs carry, IKE and ESP. Only root is told them, and an
        /// event says that it was. Keys of SAs that come while it runs are added.
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        keys: Option<PathBuf>,
        /// End after so many packets
        #[arg(long, value_name = "NUMBER")]
        packets: Option<u64>,
        /// End after this time, such as 30s
        #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
        time: Option<Duration>,
    },
    /// Look at this host as a gateway needs it, change nothing, and say what to mend
    ///
    /// Ends with 1 when something is wrong.
    Doctor {
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = "/etc/vpngw/vpngw.toml")]
        #[arg(value_hint = ValueHint::FilePath)]
        config: PathBuf,
    },
    /// Say what a reload would do: which tunnels it would touch, and by which keys
    Diff,
    /// Have the gateway read its configuration again
    Reload {
        /// Only say what it would do
        #[arg(long)]
        dry_run: bool,
        /// Take it back after this time, such as 5m, unless `vpnctl confirm` comes before
        #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "5m")]
        #[arg(value_parser = humantime::parse_duration, conflicts_with = "dry_run")]
        confirm: Option<Duration>,
    },
    /// Keep the configuration that was reloaded with --confirm
    Confirm,
    /// Show what the gateway logs, or change it while it runs
    Log {
        /// From now on, for example debug or info,vpngw::ike=trace
        filter: Option<String>,
    },
    /// Replace the keys of a tunnel now
    Rekey {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        peer: String,
        /// Replace the IKE SA instead of the Child SAs
        #[arg(long)]
        ike: bool,
    },
    /// Start the tunnel to a peer
    Initiate {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        peer: String,
    },
    /// Close the tunnel to a peer until it is initiated again: by either side, but by this one only
    /// while tunnels of other VPCs go on over the same IKE SA
    Terminate {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        peer: String,
    },
    /// Lead peers and hosts to other gateways, and wait until nothing is carried here any more
    ///
    /// What has no other way is carried on. It stands until `vpnctl undrain`, over restarts too. Ends
    /// with 1 when something is still carried after the time to wait.
    Drain {
        /// How long to wait for it, such as 30s; 0s for not at all
        #[arg(long, value_name = "TIME", default_value = "30s")]
        #[arg(value_parser = humantime::parse_duration)]
        wait: Duration,
    },
    /// Use this gateway again
    Undrain,
    /// Close the tunnel to a peer, and refuse the peer until it is enabled here
    ///
    /// Its traffic goes elsewhere first where it can. It stands over restarts.
    Disable {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        peer: String,
    },
    /// Let a peer in again that was disabled
    Enable {
        /// Name of the peer
        #[arg(add = ArgValueCompleter::new(complete::peers))]
        peer: String,
    },
    /// Write a configuration and a key pair for this host
    ///
    /// Asks on a terminal for what the arguments leave open and the host does not tell.
    Init(InitArgs),
    /// Add a peer to a configuration, or take it out; comments stay
    Peer {
        #[command(subcommand)]
        command: PeerCommand,
    },
    /// Make a key pair, or a shared secret
    Keygen {
        /// Make a shared secret instead of a key pair
        #[arg(long)]
        psk: bool,
        /// File for the private key or secret; the public key goes beside it as .pub
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
    /// Print the public key that belongs to a private key
    Pubkey {
        /// File with the private key, `-` for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Keep an authority for gateways that know each other by certificates
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
    /// Check configuration files and the keys that they name
    Check {
        /// The files
        #[arg(required = true, value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
    },
    /// Run the reference deployment in network namespaces of this host
    Lab {
        #[command(subcommand)]
        command: LabCommand,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages
    #[command(hide = true)]
    Manual {
        /// The folder to write them to
        folder: PathBuf,
    },
}

/// Three regions with two gateways and two hosts each, on one machine.
#[derive(Debug, Subcommand)]
pub(super) enum LabCommand {
    /// Bring the six gateways to life and wait until every host reaches every other region
    Up(LabFiles),
    /// Take everything down again
    Down,
    /// Show what runs and what is broken
    Status,
    /// Run a program in a host or gateway, such as east-host-a
    Exec {
        /// The host or gateway
        node: String,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        argv: Vec<String>,
    },
    /// Break something at a gateway
    Fail {
        /// The gateway
        #[arg(value_name = "GATEWAY", add = ArgValueCompleter::new(complete::gateways))]
        at: String,
        /// What to break
        #[arg(default_value = "kill", value_parser = fault_kinds())]
        kind: FaultKind,
    },
    /// Repair what was broken
    Heal {
        /// The gateway; everything when left out
        #[arg(value_name = "GATEWAY", add = ArgValueCompleter::new(complete::gateways))]
        at: Option<String>,
    },
}

/// Where the lab finds its files.
#[derive(Debug, clap::Args)]
pub(super) struct LabFiles {
    /// Folder of the six configurations [default: configs, or configs/compute]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(super) configs: Option<PathBuf>,
    /// With compute nodes: virtual machines of two tenants with equal prefixes, in VXLAN segments
    #[arg(long)]
    pub(super) compute: bool,
    /// What forwards frames in the compute nodes
    #[arg(long, value_enum, default_value_t, requires = "compute")]
    pub(super) switch: Switch,
    /// The daemon; the default is the one beside vpnctl
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::ExecutablePath)]
    pub(super) vpngwd: Option<PathBuf>,
}

/// What forwards frames in a compute node of the lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// The kernel's bridge and VXLAN device
    #[default]
    Linux,
    /// Open vSwitch in user space, as Debian has it in openvswitch-switch
    Ovs,
}

fn fault_kinds() -> impl TypedValueParser<Value = FaultKind> {
    let value = |kind: FaultKind| PossibleValue::new(kind.name()).help(kind.summary());
    PossibleValuesParser::new(FaultKind::ALL.map(value))
        .try_map(|name| name.parse::<FaultKind>().map_err(|error| error.to_string()))
}

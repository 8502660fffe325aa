//! Our daemon in a pair of sites.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use vpngw::control::{PeerState, PeerView, Request, SaKind};
use vpngw::crypto::sign::SigningKey;
use vpngw::lab::{control, daemon};
use vpngw::os::netns;
use vpngw::os::process::Process;
use vpngw::os::random::OsRandom;

use super::pair::{Pair, Side};
use super::{PATIENCE, eventually};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_vpngwd");

/// What both sides of a pair agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    Psk,
    Ed25519,
    /// By certificates of `ca.crt`, which the scenario has made.
    Certificate,
}

/// A configuration as text; scenarios replace parts of it.
pub(crate) fn config(pair: &Pair, side: Side, auth: Auth, routing: &str, more: &str) -> String {
    let (own, peer) = (side.name(), side.other());
    let credentials = match auth {
        Auth::Psk => "psk_file = \"shared.psk\"".to_owned(),
        Auth::Ed25519 => format!("public_key_file = \"{}.pub\"", peer.name()),
        Auth::Certificate => String::new(),
    };
    let private_key = match auth {
        Auth::Psk => String::new(),
        Auth::Ed25519 => format!("private_key = \"{own}.key\""),
        Auth::Certificate => {
            format!("private_key = \"{own}.key\"\ncertificate = \"{own}.crt\"\nca = [\"ca.crt\"]")
        }
    };
    let [v4, v6] = side.prefixes();
    format!(
        r#"
[gateway]
name = "{own}"
identity = "{identity}"
asn = {asn}
listen = ["{wan}"]
control_socket = "{socket}"
{private_key}

[[vpc]]
name = "office"
tun = "vpn0"
interface = "lan0"
prefixes = ["{v4}", "{v6}"]

[[peer]]
name = "{peer_name}"
remote_address = "{peer_wan}"
remote_identity = "{peer_identity}"
{credentials}
{routing}
{more}
"#,
        identity = side.identity(),
        asn = 64_512 + u32::from(side.number()),
        wan = side.wan(),
        socket = pair.path(&format!("{own}.sock")).display(),
        peer_name = peer.name(),
        peer_wan = peer.wan(),
        peer_identity = peer.identity(),
    )
}

/// Routes by BGP.
pub(crate) fn bgp(side: Side) -> String {
    let peer = side.other();
    let [v4, v6] = peer.prefixes();
    let asn = 64_512 + u32::from(peer.number());
    format!("remote_asn = {asn}\naccept = [\"{v4}\", \"{v6}\"]")
}

/// Routes by the configuration, and selectors that follow from them.
pub(crate) fn static_routes(side: Side) -> String {
    let [v4, v6] = side.other().prefixes();
    format!("static_routes = [\"{v4}\", \"{v6}\"]")
}

/// Puts keys and a shared secret into the scenario's folder.
pub(crate) fn write_keys(pair: &Pair) {
    for side in Side::BOTH {
        let key = SigningKey::generate(&mut OsRandom);
        pair.write(&format!("{}.key", side.name()), &key.to_pkcs8_pem());
        pair.write(&format!("{}.pub", side.name()), &key.verifying_key().to_base64());
        pair.write(&format!("{}.pub.pem", side.name()), &key.verifying_key().to_spki_pem());
    }
    pair.write("shared.psk", PSK);
    pair.write("red.ppk", PPK);
}

/// A post-quantum pre-shared key, as both vpngw and strongSwan read it.
pub(crate) const PPK: &str = "0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub(crate) const PSK: &str = "long enough for any prf, and not a secret";

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub side: Side,
    pub process: Process,
    config: PathBuf,
    socket: String,
    log: PathBuf,
}

impl Gateway {
    /// Starts the daemons of both sides of a fresh pair, each with the configuration that `text`
    /// gives it, and waits until the hosts reach each other.
    pub(crate) fn start_both(text: impl Fn(&Pair, Side) -> String) -> (Pair, [Self; 2]) {
        let pair = Pair::new();
        write_keys(&pair);
        let gateways = Side::BOTH.map(|side| Self::start(&pair, side, &text(&pair, side)));
        assert!(pair.comes_to_work());
        (pair, gateways)
    }

    /// Starts the daemon of a side and waits until it answers.
    pub(crate) fn start(pair: &Pair, side: Side, config: &str) -> Self {
        let gateway = Self::spawn(pair, side, config);
        let answers = || control::tunnels(&gateway.socket).is_ok();
        assert!(eventually(answers), "{}: {}", side.name(), gateway.log());
        gateway
    }

    /// Starts the daemon of a side where this file stands in place of `/etc/resolv.conf`.
    pub(crate) fn start_with_resolver(
        pair: &Pair,
        side: Side,
        config: &str,
        resolv_conf: &Path,
    ) -> Self {
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
        command.args(["-m", "sh", "-c", script, "sh"]).arg(resolv_conf).arg(PROGRAM);
        let gateway = Self::spawn_by(command, pair, side, config);
        let answers = || control::tunnels(&gateway.socket).is_ok();
        assert!(eventually(answers), "{}: {}", side.name(), gateway.log());
        gateway
    }

    fn spawn(pair: &Pair, side: Side, text: &str) -> Self {
        Self::spawn_by(Command::new(PROGRAM), pair, side, text)
    }

    fn spawn_by(mut command: Command, pair: &Pair, side: Side, text: &str) -> Self {
        let name = side.name();
        let config = pair.write(&format!("{name}.toml"), text);
        let (log, namespace) = (pair.path(&format!("{name}.log")), pair.namespace(name));
        command.arg("--config").arg(&config).args(["--log", "debug"]);
        let process = daemon::start_in(&mut command, &namespace, &log).unwrap();
        let socket = pair.path(&format!("{name}.sock")).display().to_string();
        Gateway { side, process, config, socket, log }
    }

    /// Everything it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it says something.
    pub(crate) fn comes_to_say(&self, words: &str) -> bool {
        eventually(|| self.log().contains(words))
    }

    /// Asks it by its control socket.
    pub(crate) fn ask<T: DeserializeOwned>(&self, request: &Request) -> T {
        control::ask(&self.socket, request).unwrap()
    }

    /// The other side as it sees it.
    pub(crate) fn peer(&self) -> PeerView {
        self.ask(&Request::Peer(self.side.other().name().to_owned()))
    }

    /// Waits until its tunnel is up.
    pub(crate) fn comes_up(&self) -> bool {
        eventually(|| self.peer().summary.state == PeerState::Up)
    }

    /// Replaces an SA now.
    pub(crate) fn rekey(&self, sa: SaKind) {
        let peer = self.side.other().name().to_owned();
        let _: serde_json::Value = self.ask(&Request::Rekey { peer, sa });
    }

    /// Writes a new configuration and sends SIGHUP.
    pub(crate) fn reload(&self, text: &str) {
        std::fs::write(&self.config, text).unwrap();
        self.process.signal(Signal::SIGHUP).unwrap();
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        self.process.signal(Signal::SIGKILL).unwrap();
        assert!(self.process.wait(PATIENCE));
    }

    /// Asks it to end and waits for it.
    pub(crate) fn stop(&self) {
        self.process.signal(Signal::SIGTERM).unwrap();
        assert!(self.process.wait(PATIENCE), "{}", self.log());
    }
}

/// Runs the daemon to its end, for starts that must fail.
pub(crate) fn run_to_end(pair: &Pair, side: Side, text: &str, arguments: &[&str]) -> Output {
    let config = pair.write(&format!("{}.toml", side.name()), text);
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(config).args(arguments);
    netns::place(&mut command, &pair.namespace(side.name())).unwrap();
    command.output().unwrap()
}

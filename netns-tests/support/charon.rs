//! strongSwan's charon as Debian packages it, with its own ESP in user space
//! (kernel-libipsec), steered by swanctl.

use std::path::PathBuf;
use std::process::{Command, Output};

use vpngw::lab::daemon;
use vpngw::os::process::{self, Process};

use super::pair::{Pair, Side};
use super::vpngwd::{Auth, PSK};
use super::{PATIENCE, eventually};

const PROGRAM: &str = "/usr/lib/ipsec/charon";
/// kernel-libipsec comes first and takes ESP; kernel-netlink does addresses and routes.
const PLUGINS: &str = "random nonce aes sha1 sha2 hmac kdf gcm chapoly curve25519 openssl pem \
                       pkcs1 pkcs8 x509 pubkey revocation constraints kernel-libipsec \
                       kernel-netlink socket-default vici updown";

/// How a connection is set up; scenarios change parts.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub auth: Auth,
    pub ike: &'static str,
    pub esp: &'static str,
    /// Selectors beside the prefixes of the two sites: its own, and the peer's.
    pub more_selectors: [&'static str; 2],
    /// `none`, `start` or `trap`.
    pub start_action: &'static str,
    /// More lines for the connection.
    pub more: &'static str,
    /// More lines for its child.
    pub child_more: &'static str,
    /// More secrets.
    pub secrets: &'static str,
    /// Its addresses may change (RFC 4555).
    pub roams: bool,
    pub policies: Policies,
}

/// How the traffic is shared out among children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policies {
    /// `net` takes all of it.
    One,
    /// `net` for IPv4 and `net6` for IPv6.
    Families,
    /// `net` for ICMP, `tcp` and `udp`, both families in each.
    Protocols,
}

impl Policies {
    /// The names of the children.
    pub(crate) fn children(self) -> &'static [&'static str] {
        match self {
            Policies::One => &["net"],
            Policies::Families => &["net", "net6"],
            Policies::Protocols => &["net", "tcp", "udp"],
        }
    }
}

impl Default for Connection {
    fn default() -> Self {
        Connection {
            auth: Auth::Psk,
            ike: "aes256gcm16-prfsha384-curve25519",
            esp: "aes256gcm16-curve25519",
            more_selectors: ["", ""],
            start_action: "none",
            more: "",
            child_more: "",
            secrets: "",
            roams: false,
            policies: Policies::One,
        }
    }
}

/// A running charon.
pub(crate) struct Charon {
    process: Process,
    folder: PathBuf,
    socket: String,
}

impl Charon {
    /// Starts the charon of a side with a connection `site` that has a child `net`, or two.
    pub(crate) fn start(pair: &Pair, side: Side, connection: &Connection) -> Self {
        let name = format!("charon-{}", side.name());
        let folder = pair.path(&name);
        let socket = format!("unix://{}/vici", folder.display());
        let log = pair.path(&format!("{name}.log"));
        pair.write(&format!("{name}/strongswan.conf"), &settings(&socket, &log));
        let loading = [
            (format!("{name}/swanctl/swanctl.conf"), swanctl_conf(side, connection)),
            (
                format!("{name}/swanctl/private/own.pem"),
                read(pair, &format!("{}.key", side.name())),
            ),
            (
                format!("{name}/swanctl/pubkey/own.pem"),
                read(pair, &format!("{}.pub.pem", side.name())),
            ),
            (
                format!("{name}/swanctl/pubkey/peer.pem"),
                read(pair, &format!("{}.pub.pem", side.other().name())),
            ),
        ];
        for (path, text) in loading {
            pair.write(&path, &text);
        }
        if connection.auth == Auth::Certificate {
            let chain = read(pair, &format!("{}.crt", side.name()));
            for (place, block) in chain.split_inclusive("-----END CERTIFICATE-----\n").enumerate() {
                // Behind its own certificate stand those of the issuers.
                let file = if place == 0 { "x509/own.pem" } else { "x509ca/issuer.pem" };
                pair.write(&format!("{name}/swanctl/{file}"), block);
            }
            pair.write(&format!("{name}/swanctl/x509ca/ca.pem"), &read(pair, "ca.crt"));
        }
        let mut command = process::with_private_run(PROGRAM);
        command.env("STRONGSWAN_CONF", folder.join("strongswan.conf"));
        let output = pair.path(&format!("{name}-output.log"));
        let process =
            daemon::start_in(&mut command, &pair.namespace(side.name()), &output).unwrap();
        let charon = Charon { process, folder, socket };
        assert!(eventually(|| charon.folder.join("vici").exists()), "charon has no vici socket");
        // The socket is there before anybody listens.
        let mut loaded = charon.swanctl(&["--load-all", "--noprompt"]);
        eventually(|| {
            let too_early = text(&loaded).contains("Connection refused");
            if too_early {
                loaded = charon.swanctl(&["--load-all", "--noprompt"]);
            }
            !too_early
        });
        assert!(loaded.status.success(), "{}", text(&loaded));
        charon
    }

    /// Brings the child up; the output is swanctl's.
    pub(crate) fn initiate(&self) -> Output {
        self.initiate_child("net")
    }

    /// Brings a child up; the output is swanctl's.
    pub(crate) fn initiate_child(&self, child: &str) -> Output {
        self.swanctl(&["--initiate", "--child", child, "--timeout", "20"])
    }

    /// Replaces the child, or the IKE SA.
    pub(crate) fn rekey(&self, what: &str) {
        let done = match what {
            "ike" => self.swanctl(&["--rekey", "--ike", "site"]),
            "child" => self.swanctl(&["--rekey", "--child", "net"]),
            child => self.swanctl(&["--rekey", "--child", child]),
        };
        assert!(done.status.success(), "{}", text(&done));
    }

    /// What it lists of its SAs.
    pub(crate) fn sas(&self) -> String {
        text(&self.swanctl(&["--list-sas"]))
    }

    /// Waits until its IKE SA and its child stand.
    pub(crate) fn comes_up(&self) -> bool {
        eventually(|| {
            let sas = self.sas();
            sas.contains("ESTABLISHED") && sas.contains("INSTALLED")
        })
    }

    /// Ends it, with deletes.
    pub(crate) fn stop(&self) {
        self.process.end(PATIENCE).unwrap();
    }

    /// Kills it, and takes its socket away.
    pub(crate) fn kill(&self) {
        self.process.signal(nix::sys::signal::Signal::SIGKILL).unwrap();
        assert!(self.process.wait(PATIENCE));
        std::fs::remove_file(self.folder.join("vici")).unwrap();
    }

    fn swanctl(&self, arguments: &[&str]) -> Output {
        Command::new("swanctl")
            .args(arguments)
            .args(["--uri", &self.socket])
            .env("STRONGSWAN_CONF", self.folder.join("strongswan.conf"))
            .env("SWANCTL_DIR", self.folder.join("swanctl"))
            .output()
            .expect("swanctl is not installed: run ./test")
    }
}

/// Both streams of a program.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

fn read(pair: &Pair, name: &str) -> String {
    std::fs::read_to_string(pair.path(name)).unwrap()
}

fn settings(socket: &str, log: &std::path::Path) -> String {
    let log = log.display();
    format!(
        "charon {{
           load = {PLUGINS}
           install_virtual_ip = no
           plugins {{ vici {{ socket = {socket} }} }}
           filelog {{ log {{ path = {log}\n flush_line = yes\n default = 1\n ike = 2\n cfg = 2 }} }}
         }}
         swanctl {{ load = random openssl pem pkcs1 pkcs8 x509 pubkey }}"
    )
}

fn swanctl_conf(side: Side, connection: &Connection) -> String {
    let Connection { auth, ike, more, policies, secrets, roams, .. } = connection;
    let mobike = if *roams { "yes" } else { "no" };
    let peer = side.other();
    let (own_auth, peer_auth) = match auth {
        Auth::Psk => ("auth = psk", "auth = psk"),
        Auth::Ed25519 => {
            ("auth = pubkey\n pubkeys = own.pem", "auth = pubkey\n pubkeys = peer.pem")
        }
        Auth::Certificate => {
            ("auth = pubkey\n certs = own.pem", "auth = pubkey\n cacerts = ca.pem")
        }
    };
    let sides = [side.prefixes(), peer.prefixes()];
    let selectors = |name: &str| {
        let [four, six] = match name {
            "net6" => return sides.clone().map(|[_, six]| six),
            "net" if *policies == Policies::Families => return sides.clone().map(|[four, _]| four),
            "net" if *policies == Policies::Protocols => ["[icmp]", "[ipv6-icmp]"],
            "tcp" => ["[tcp]"; 2],
            "udp" => ["[udp]"; 2],
            _ => [""; 2],
        };
        sides.clone().map(|prefixes| format!("{}{four},{}{six}", prefixes[0], prefixes[1]))
    };
    let children = policies.children().iter().map(|name| child(name, selectors(name), connection));
    format!(
        "connections {{ site {{
           version = 2
           local_addrs = {}
           remote_addrs = {}
           proposals = {ike}
           mobike = {mobike}
           {more}
           local {{ {own_auth}\n id = {} }}
           remote {{ {peer_auth}\n id = {} }}
           children {{ {} }}
         }} }}
         secrets {{ ike {{ secret = \"{PSK}\" }} {secrets} }}",
        if *roams { "%any".to_owned() } else { side.wan().to_string() },
        peer.wan(),
        side.identity(),
        peer.identity(),
        children.collect::<String>(),
    )
}

/// A child for traffic of these prefixes of both sides.
fn child(name: &str, [own, peer]: [String; 2], connection: &Connection) -> String {
    let Connection { esp, more_selectors, start_action, child_more, .. } = connection;
    let [own_selectors, peer_selectors] = more_selectors;
    format!(
        "{name} {{
             local_ts = {own} {own_selectors}
             remote_ts = {peer} {peer_selectors}
             esp_proposals = {esp}
             start_action = {start_action}
             {child_more} }}
         "
    )
}

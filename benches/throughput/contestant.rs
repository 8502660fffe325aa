//! Who is measured, and how each is brought up between the gateways of the rig.

use crate::rig::{RECEIVER, Rig, SITES, Shape, Site};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vpngw::lab::daemon;
use vpngw::os::netlink::Via;
use vpngw::os::process::Process;

/// Inner MTU of a WireGuard tunnel over IPv4 with room for IPv6 (its tools' default).
const WIREGUARD_MTU: u32 = 1420;

/// A way to connect the two sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contestant {
    /// No tunnel at all: the ceiling.
    PlainRouting,
    /// This package's own gateway.
    Vpngw,
    /// The same with hosts behind a VXLAN segment at each end, as virtual machines are.
    VpngwVxlan,
    /// The same with prefixes that the other side knows by others.
    VpngwMapped,
    /// WireGuard's user-space implementation, with UDP and TUN offloads since 2023.
    WireguardGo,
    /// strongSwan with its user-space ESP (the kernel-libipsec plugin).
    StrongSwan,
}

impl Contestant {
    /// All of them, the reference first.
    pub(crate) const ALL: [Contestant; 6] = [
        Contestant::PlainRouting,
        Contestant::Vpngw,
        Contestant::VpngwVxlan,
        Contestant::VpngwMapped,
        Contestant::WireguardGo,
        Contestant::StrongSwan,
    ];

    /// Its name on the command line and in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Contestant::PlainRouting => "plain routing",
            Contestant::Vpngw => "vpngw",
            Contestant::VpngwVxlan => "vpngw-vxlan",
            Contestant::VpngwMapped => "vpngw-mapped",
            Contestant::WireguardGo => "wireguard-go",
            Contestant::StrongSwan => "strongswan",
        }
    }

    /// What exactly is measured; an error says what is missing.
    pub(crate) fn version(self) -> Result<String> {
        match self {
            Contestant::PlainRouting => {
                Ok(nix::sys::utsname::uname()?.release().to_string_lossy().into())
            }
            Contestant::Vpngw | Contestant::VpngwMapped => Ok(env!("CARGO_PKG_VERSION").to_owned()),
            Contestant::VpngwVxlan => require("nft").map(|_| env!("CARGO_PKG_VERSION").to_owned()),
            Contestant::WireguardGo => {
                require("wg")?;
                first_line(Command::new(require("wireguard-go")?).arg("--version"))
            }
            Contestant::StrongSwan => {
                require("swanctl")?;
                first_line(Command::new(charon()?).arg("--version"))
            }
        }
    }

    /// The network that it runs in.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Contestant::VpngwVxlan => Shape::Vxlan,
            Contestant::PlainRouting
            | Contestant::Vpngw
            | Contestant::VpngwMapped
            | Contestant::WireguardGo
            | Contestant::StrongSwan => Shape::Plain,
        }
    }

    /// How the host that sends knows the one that receives.
    pub(crate) fn receiver(self) -> &'static str {
        if self == Contestant::VpngwMapped { "100.71.2.2" } else { RECEIVER }
    }

    /// Brings it up and returns the gateways' processes.
    pub(crate) fn up(self, rig: &Rig) -> Result<Vec<Process>> {
        match self {
            Contestant::PlainRouting => plain_routing(rig).map(|()| Vec::new()),
            Contestant::Vpngw | Contestant::VpngwVxlan | Contestant::VpngwMapped => {
                vpngw(rig, self)
            }
            Contestant::WireguardGo => wireguard_go(rig),
            Contestant::StrongSwan => strongswan(rig),
        }
    }
}

/// Both sites as (own, other).
fn pairs() -> [(Site, Site); 2] {
    let [one, two] = SITES;
    [(one, two), (two, one)]
}

fn plain_routing(rig: &Rig) -> Result<()> {
    for (own, other) in pairs() {
        rig.route(own.gateway, other.lan, Via::Gateway(own.router.parse()?))?;
        rig.route("net", own.lan, Via::Gateway(own.underlay.parse()?))?;
    }
    Ok(())
}

fn vpngw(rig: &Rig, contestant: Contestant) -> Result<Vec<Process>> {
    daemon::make_missing_keys(rig.folder(), SITES.iter().map(|site| site.gateway))?;
    let mut processes = Vec::new();
    for (index, (own, other)) in pairs().into_iter().enumerate() {
        let config = rig.folder().join(format!("{}.toml", own.gateway));
        let text = vpngw_config(own, other, index, rig.folder());
        let text = match contestant {
            Contestant::VpngwVxlan => text.replace("[[peer]]", &vxlan(rig, own)),
            Contestant::VpngwMapped => mapped(&text, own, other),
            Contestant::PlainRouting
            | Contestant::Vpngw
            | Contestant::WireguardGo
            | Contestant::StrongSwan => text,
        };
        fs::write(&config, text)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_vpngwd"));
        processes.push(rig.start(own.gateway, command.arg("--config").arg(config))?);
    }
    Ok(processes)
}

fn vpngw_config(own: Site, other: Site, index: usize, folder: &Path) -> String {
    let Site { gateway, underlay, lan, .. } = own;
    let folder = folder.display();
    format!(
        r#"
        [gateway]
        name = "{gateway}"
        asn = {}
        listen = ["{underlay}"]
        private_key = "{gateway}.key"
        control_socket = "{folder}/{gateway}.sock"

        [[vpc]]
        name = "site"
        prefixes = ["{lan}"]

        [[peer]]
        name = "{}"
        remote_address = "{}"
        public_key_file = "{}.pub"
        remote_asn = {}
        accept = ["{}"]
        "#,
        64512 + index,
        other.gateway,
        other.underlay,
        other.gateway,
        64513 - index,
        other.lan,
    )
}

/// The VPC in a namespace of its own, with the site's hosts in a segment.
fn vxlan(rig: &Rig, own: Site) -> String {
    format!(
        r#"
        netns = "{}"

        [vpc.vxlan]
        vni = 100
        local = "{}"
        vteps = ["{}"]
        addresses = ["{}/24"]

        [[peer]]"#,
        rig.namespace(own.vpc),
        own.vtep,
        own.node_vtep,
        own.next_hop,
    )
}

/// Each side is known to the other by another prefix.
fn mapped(text: &str, own: Site, other: Site) -> String {
    let map =
        format!("[[vpc.map]]\ninside = \"{}\"\noutside = \"{}\"\n[[peer]]", own.lan, own.known_as);
    let accept = |site: &str| format!("accept = [\"{site}\"]");
    text.replace(&accept(other.lan), &accept(other.known_as)).replace("[[peer]]", &map)
}

fn wireguard_go(rig: &Rig) -> Result<Vec<Process>> {
    let program = require("wireguard-go")?;
    let mut processes = Vec::new();
    let mut public_keys = Vec::new();
    for site in SITES {
        let device = wireguard_device(site);
        let mut command = Command::new(&program);
        processes.push(rig.start(site.gateway, command.arg("-f").arg(&device))?);
        let private = first_line(Command::new("wg").arg("genkey"))?;
        fs::write(rig.folder().join(&device), &private)?;
        let key = rig.folder().join(&device).display().to_string();
        public_keys
            .push(first_line(Command::new("sh").args(["-c", &format!("wg pubkey < {key}")]))?);
    }
    for ((own, other), public_key) in pairs().into_iter().zip(public_keys.iter().rev()) {
        wireguard_tunnel(rig, own, other, public_key)?;
    }
    Ok(processes)
}

fn wireguard_tunnel(rig: &Rig, own: Site, other: Site, public_key: &str) -> Result<()> {
    let device = wireguard_device(own);
    rig.bring_up(own.gateway, &device, WIREGUARD_MTU)?;
    let key = rig.folder().join(&device).display().to_string();
    let endpoint = format!("{}:51820", other.underlay);
    let settings = [
        "wg",
        "set",
        &device,
        "private-key",
        &key,
        "listen-port",
        "51820",
        "peer",
        public_key,
        "endpoint",
        &endpoint,
        "allowed-ips",
        other.lan,
    ];
    // Its control socket comes a little after its device.
    rig.wait("wg set", || {
        rig.run(own.gateway, &settings).is_ok_and(|output| output.status.success())
    })?;
    rig.route(own.gateway, other.lan, Via::Device(device))
}

fn wireguard_device(site: Site) -> String {
    format!("bench-{}", site.gateway)
}

fn strongswan(rig: &Rig) -> Result<Vec<Process>> {
    let charon = charon()?;
    let mut processes = Vec::new();
    for (own, other) in pairs() {
        let folder = rig.folder().join(own.gateway);
        fs::create_dir_all(folder.join("swanctl"))?;
        fs::write(folder.join("strongswan.conf"), strongswan_conf(&folder))?;
        fs::write(folder.join("swanctl/swanctl.conf"), swanctl_conf(own, other))?;
        let mut command = vpngw::os::process::with_private_run(&charon);
        command.env("STRONGSWAN_CONF", folder.join("strongswan.conf"));
        processes.push(rig.start(own.gateway, &mut command)?);
        rig.wait("charon", || folder.join("vici").exists())?;
        swanctl(&folder, &["--load-all", "--noprompt"])?;
    }
    swanctl(&rig.folder().join("g1"), &["--initiate", "--child", "site", "--timeout", "10"])?;
    Ok(processes)
}

fn swanctl(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("swanctl")
        .args(arguments)
        .arg("--uri")
        .arg(format!("unix://{}/vici", folder.display()))
        .env("SWANCTL_DIR", folder.join("swanctl"))
        .env("STRONGSWAN_CONF", folder.join("strongswan.conf"))
        .output()?;
    if !output.status.success() {
        bail!("swanctl: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn strongswan_conf(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "charon {{
           load = nonce pem pkcs1 x509 openssl hmac kdf random kernel-libipsec kernel-netlink \
                  socket-default vici updown
           filelog {{ err {{ path = {folder}/charon.log\n default = 1 }} }}
           plugins {{ vici {{ socket = unix://{folder}/vici }} }}
         }}
         swanctl {{ load = pem pkcs1 x509 openssl random }}\n"
    )
}

fn swanctl_conf(own: Site, other: Site) -> String {
    format!(
        "connections {{ site {{
           version = 2
           local_addrs = {own}
           remote_addrs = {other}
           encap = yes
           proposals = aes256gcm16-prfsha384-x25519
           local {{ auth = psk\n id = {own} }}
           remote {{ auth = psk\n id = {other} }}
           children {{ site {{
             local_ts = {}
             remote_ts = {}
             esp_proposals = aes256gcm16
             mode = tunnel }} }} }} }}
         secrets {{ ike {{ secret = \"of the benchmark\" }} }}\n",
        own.lan,
        other.lan,
        own = own.underlay,
        other = other.underlay,
    )
}

fn charon() -> Result<PathBuf> {
    let places = ["/usr/lib/ipsec/charon", "/usr/libexec/ipsec/charon"];
    let found = places.iter().map(PathBuf::from).find(|place| place.exists());
    found.context("there is no charon (install strongSwan with its kernel-libipsec plugin)")
}

/// The path of a program.
fn require(program: &str) -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    found.with_context(|| format!("there is no {program} in PATH"))
}

fn first_line(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

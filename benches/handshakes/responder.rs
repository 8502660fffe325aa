//! Who answers the initiators: this package's gateway, or strongSwan's charon with its own ESP.

use crate::papers::{ESP, IKE, PSK, Papers, Proof};
use crate::plan::Watching;
use crate::rig::{BEHIND_RESPONDER, Node, RESPONDER, Rig, address_of, behind, identity_of, inside};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::{self, Write};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};
use vpngw::lab::daemon;
use vpngw::os::process::{self, Process};

const CHARON: &str = "/usr/lib/ipsec/charon";
/// Until a daemon is there, and until it has gone.
const PATIENCE: Duration = Duration::from_secs(300);
/// What charon does itself comes before OpenSSL, as in its default order; ESP is its own.
const PLUGINS: &str = "random drbg nonce aesni aes sha1 sha2 hmac kdf openssl gcm chapoly curve25519 \
                       pem pkcs1 pkcs8 x509 pubkey revocation constraints kernel-libipsec \
                       kernel-netlink socket-default vici";
const FOLDERS: [&str; 4] = ["private", "pubkey", "x509", "x509ca"];

/// Which program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vpngw,
    Charon,
}

impl Kind {
    /// Whether it can do without ML-KEM, or with it.
    pub(crate) fn speaks(self, ml_kem: bool) -> bool {
        self == Kind::Vpngw || !ml_kem
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Vpngw => "vpngw",
            Kind::Charon => "charon",
        })
    }
}

impl FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Kind> {
        match text {
            "vpngw" => Ok(Kind::Vpngw),
            "charon" => Ok(Kind::Charon),
            other => bail!("{other:?} is neither \"vpngw\" nor \"charon\""),
        }
    }
}

/// What charon calls itself, if it is there.
pub(crate) fn charon_version() -> Option<String> {
    let output = Command::new(CHARON).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A daemon that runs.
pub(crate) struct Responder(Process);

impl Responder {
    /// Starts one that knows all initiators of `papers` and probes those that are up.
    pub(crate) fn start(
        rig: &Rig,
        papers: &Papers,
        kind: Kind,
        ml_kem: bool,
        watching: Watching,
    ) -> Result<Responder> {
        let process = match kind {
            Kind::Vpngw => vpngw(rig, papers, ml_kem, watching),
            Kind::Charon => charon(rig, papers, watching.probe),
        }?;
        let deadline = Instant::now() + PATIENCE;
        while !listens(process.pid()) {
            let log = rig.folder().join("vpngwd.log");
            let waits = process.is_alive() && Instant::now() < deadline;
            ensure!(waits, "{kind} does not listen; {}", daemon::last_lines(&log));
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Responder(process))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.pid()
    }

    /// Kills it: tunnels need no farewell.
    pub(crate) fn stop(self) -> Result<()> {
        self.0.signal(nix::sys::signal::Signal::SIGKILL)?;
        ensure!(self.0.wait(PATIENCE), "a responder goes on although it was killed");
        Ok(())
    }
}

/// Whether something in the namespace of a process has UDP port 500 (`/proc/net/udp`, proc(5)): who asks
/// before waits ever longer.
fn listens(pid: i32) -> bool {
    let table = fs::read_to_string(format!("/proc/{pid}/net/udp")).unwrap_or_default();
    let local = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    table.lines().filter_map(local).any(|address| address.ends_with(":01F4"))
}

fn vpngw(rig: &Rig, papers: &Papers, ml_kem: bool, watching: Watching) -> Result<Process> {
    let path = papers.write("gw.toml", &vpngw_config(papers, ml_kem, watching)?)?;
    let log = rig.folder().join("vpngwd.log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vpngwd"));
    command.arg("--config").arg(path).args(["--log", "error"]);
    start(&mut command, rig, &log)
}

/// Starts a daemon that ends with the bench, also when that is killed.
fn start(command: &mut Command, rig: &Rig, log: &Path) -> Result<Process> {
    process::end_with_this_thread(command);
    daemon::start_in(command, &rig.namespace(Node::Responder), log)
}

fn vpngw_config(papers: &Papers, ml_kem: bool, watching: Watching) -> Result<String> {
    let post_quantum = if ml_kem { "require" } else { "off" };
    let seconds = watching.probe.as_secs();
    let bfd = match watching.bfd {
        None => "false".to_owned(),
        Some(every) => format!("{{ interval = \"{}ms\" }}", every.as_millis()),
    };
    let own = match papers.proof() {
        Proof::Psk => "",
        Proof::Ed25519 => "private_key = \"gw.test.key\"\n",
        Proof::Certificate => {
            "private_key = \"gw.test.key\"\ncertificate = \"gw.test.crt\"\nca = [\"authority/ca.crt\"]\n"
        }
    };
    let mut text = format!(
        "[gateway]\nname = \"gw\"\nidentity = \"gw.test\"\nlisten = [\"{RESPONDER}\"]\n{own}\
         [[vpc]]\nname = \"v\"\nprefixes = [\"{BEHIND_RESPONDER}\"]\n\
         [defaults]\ninitiate = false\nike_suites = [\"{IKE}\"]\nesp_suites = [\"{ESP}\"]\n\
         post_quantum = \"{post_quantum}\"\n\
         bfd = {bfd}\n\
         liveness = {{ interval = \"{seconds}s\", timeout = \"{}s\", give_up = \"{}s\" }}\n",
        2 * seconds,
        4 * seconds
    );
    for number in 0..papers.peers() {
        let (identity, address, network) =
            (identity_of(number), address_of(number), behind(number));
        let proof = match papers.proof() {
            Proof::Psk => "psk_file = \"psk\"\n".to_owned(),
            Proof::Ed25519 => {
                format!("public_key = \"{}\"\n", papers.public_key(number).to_base64())
            }
            Proof::Certificate => String::new(),
        };
        write!(
            text,
            "[[peer]]\nname = \"p{number}\"\nremote_identity = \"{identity}\"\n\
             remote_address = \"{address}\"\nstatic_routes = [\"{network}\"]\n{proof}"
        )?;
        if watching.bfd.is_some() {
            let (ours, theirs) = inside(number);
            write!(text, "inside_local = \"{ours}\"\ninside_remote = \"{theirs}\"\n")?;
        }
    }
    Ok(text)
}

fn charon(rig: &Rig, papers: &Papers, probe: Duration) -> Result<Process> {
    ensure!(Path::new(CHARON).exists(), "there is no {CHARON}: install strongswan-charon");
    let folder = papers.folder().join("charon");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for name in FOLDERS {
        fs::create_dir_all(folder.join("swanctl").join(name))?;
    }
    fs::write(folder.join("strongswan.conf"), strongswan_conf(&folder))?;
    fs::write(folder.join("swanctl/swanctl.conf"), swanctl_conf(papers, probe)?)?;
    credentials_of_charon(papers, &folder.join("swanctl"))?;
    let mut command = process::with_private_run(CHARON);
    command.env("STRONGSWAN_CONF", folder.join("strongswan.conf"));
    let log = rig.folder().join("charon.log");
    let process = start(&mut command, rig, &log)?;
    let deadline = Instant::now() + PATIENCE;
    while !folder.join("vici").exists() || load_all(&folder).is_err() {
        if Instant::now() > deadline || !process.is_alive() {
            load_all(&folder).with_context(|| daemon::last_lines(&log))?;
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(process)
}

fn load_all(folder: &Path) -> Result<()> {
    let output = Command::new("swanctl")
        .args(["--load-all", "--noprompt", "--uri"])
        .arg(format!("unix://{}/vici", folder.display()))
        .env("SWANCTL_DIR", folder.join("swanctl"))
        .env("STRONGSWAN_CONF", folder.join("strongswan.conf"))
        .output()
        .context("running swanctl")?;
    ensure!(output.status.success(), "swanctl: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

fn credentials_of_charon(papers: &Papers, folder: &Path) -> Result<()> {
    let copy = |from: &str, to: &str| -> Result<PathBuf> {
        let (from, to) = (papers.folder().join(from), folder.join(to));
        fs::copy(&from, &to).with_context(|| from.display().to_string())?;
        Ok(to)
    };
    match papers.proof() {
        Proof::Psk => {}
        Proof::Ed25519 => {
            copy("gw.test.key", "private/gw.pem")?;
            fs::write(folder.join("pubkey/gw.pem"), papers.own_public_key().to_spki_pem())?;
            for number in 0..papers.peers() {
                let path = folder.join(format!("pubkey/p{number}.pem"));
                fs::write(path, papers.public_key(number).to_spki_pem())?;
            }
        }
        Proof::Certificate => {
            copy("gw.test.key", "private/gw.pem")?;
            copy("gw.test.crt", "x509/gw.pem")?;
            copy("authority/ca.crt", "x509ca/ca.pem")?;
        }
    }
    Ok(())
}

fn strongswan_conf(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "charon {{
           load = {PLUGINS}
           install_routes = no
           ikesa_table_size = 4096
           ikesa_table_segments = 16
           plugins {{ vici {{ socket = unix://{folder}/vici }}
                      kernel-libipsec {{ allow_peer_ts = yes }} }}
           filelog {{ log {{ path = {folder}/charon.log\n default = -1 }} }}
         }}
         swanctl {{ load = random openssl pem pkcs1 pkcs8 x509 pubkey }}\n"
    )
}

fn swanctl_conf(papers: &Papers, probe: Duration) -> Result<String> {
    let (mut connections, mut secrets) = (String::new(), String::new());
    for number in 0..papers.peers() {
        let (identity, address, network) =
            (identity_of(number), address_of(number), behind(number));
        let (proof, ours, theirs) = match papers.proof() {
            Proof::Psk => ("psk", "", String::new()),
            Proof::Ed25519 => ("pubkey", "pubkeys = gw.pem", format!("pubkeys = p{number}.pem")),
            Proof::Certificate => ("pubkey", "certs = gw.pem", "cacerts = ca.pem".to_owned()),
        };
        write!(
            connections,
            "p{number} {{\n version = 2\n local_addrs = {RESPONDER}\n remote_addrs = {address}\n\
             proposals = {IKE}\n encap = yes\n mobike = no\n unique = never\n dpd_delay = {}s\n\
             local {{ auth = {proof}\n id = gw.test\n {ours} }}\n\
             remote {{ auth = {proof}\n id = {identity}\n {theirs} }}\n\
             children {{ net {{ local_ts = {BEHIND_RESPONDER}\n remote_ts = {network}\n\
             esp_proposals = {ESP}\n start_action = none }} }}\n}}\n",
            probe.as_secs()
        )?;
        if papers.proof() == Proof::Psk {
            write!(secrets, "ike-{number} {{ id = {identity}\n secret = \"{PSK}\" }}\n")?;
        }
    }
    Ok(format!("connections {{\n{connections}}}\nsecrets {{\n{secrets}}}\n"))
}

//! A machine for itself, as people have it who read the documents: a checkout of the sources, six
//! gateways of a lab, and "this gateway", which is east-a.
//!
//! ```text
//!   a mount and a network namespace of its own, with /run and /etc for itself
//!     bin/cargo           builds nothing: the programs are those under test
//!     gateway-bin/        vpnctl speaks to east-a, systemctl starts its daemon anew
//!     work/               FILE, one.toml and other.toml: configurations of the lab
//! ```

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::charon::text as said;
use super::eventually;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vpnctl");
const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// Where commands are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the checkout.
    Checkout,
    /// At the gateway, in a folder with configurations.
    Gateway,
    /// In an empty folder.
    Folder,
}

/// A private machine with a lab on it; all of it goes when this is dropped.
pub(crate) struct Stage {
    holder: Child,
    folder: TempDir,
}

const SETTING: &str = r#"
    set -e
    mount -t tmpfs tmpfs /run
    mkdir /run/upper /run/work
    mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
    mkdir -p /etc/vpngw /etc/keys "$0/keys"
    mount --bind "$0/configs" /etc/vpngw
    mount --bind "$0/keys" /etc/keys
    ip link set lo up
    echo ready
    exec sleep infinity
"#;

/// "systemctl" of the gateway, as far as the documents use it.
const SYSTEMCTL: &str = r#"#!/bin/sh
case "$1 $2" in
"restart vpngwd")
    vpnctl lab fail east-a stop && vpnctl lab heal east-a &&
        for _ in $(seq 100); do vpnctl -g east-a stats > /dev/null 2>&1 && exit 0 || sleep 0.1; done
    exit 1 ;;
*) echo "$0 $*: the documents' test does not know this" >&2; exit 1 ;;
esac
"#;

impl Stage {
    pub(crate) fn set() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["bin", "gateway-bin", "target", "work"] {
            fs::create_dir(at(name)).unwrap();
        }
        let programs = Path::new(PROGRAM).parent().unwrap();
        symlink(programs, at("target/release")).unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(Path::new(SOURCE).join("configs")).arg(at("configs"));
        assert!(copy.status().unwrap().success());
        symlink("east-a.toml", at("configs/vpngw.toml")).unwrap();
        for (name, config) in
            [("FILE", "east-a"), ("one.toml", "east-a"), ("other.toml", "north-a")]
        {
            let config = at("configs").join(format!("{config}.toml"));
            fs::copy(config, at("work").join(name)).unwrap();
        }
        script(&at("bin/cargo"), "#!/bin/sh\n# The programs are those under test.\n");
        let here = format!("#!/bin/sh\nexec {PROGRAM} -g east-a \"$@\"\n");
        script(&at("gateway-bin/vpnctl"), &here);
        script(&at("gateway-bin/systemctl"), &SYSTEMCTL.replace("vpnctl", PROGRAM));
        let mut holder = Command::new("unshare");
        holder.args(["-nm", "--propagation", "private", "sh", "-c", SETTING]).arg(folder.path());
        let mut holder = holder.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Stage { holder, folder }
    }

    /// A shell that runs `script` at a place.
    pub(crate) fn shell(&self, place: Place, script: &str) -> Command {
        let folder = self.folder.path().display();
        let programs = Path::new(PROGRAM).parent().unwrap().display();
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m", "-n"]);
        match place {
            Place::Checkout | Place::Folder => {
                command.env("PATH", format!("{folder}/bin:{programs}:{path}"));
            }
            Place::Gateway => {
                command.env("PATH", format!("{folder}/gateway-bin:{programs}:{path}"));
                command.args(["ip", "netns", "exec", "vpngw-east-a"]);
            }
        }
        let cd = match place {
            Place::Checkout => format!("cd {folder}"),
            Place::Gateway => format!("cd {folder}/work"),
            Place::Folder => format!("mkdir -p {folder}/fresh && cd {folder}/fresh"),
        };
        command.args(["sh", "-ec", &format!("{cd}\n{script}")]);
        // As on a terminal, without its width.
        command.env("VPNCTL_FORMAT", "table").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, place: Place, script: &str) -> Output {
        self.shell(place, script).output().unwrap()
    }

    pub(crate) fn must(&self, place: Place, script: &str) {
        let output = self.run(place, script);
        assert!(output.status.success(), "{script}: {}", said(&output));
    }

    /// The gateway and all its peers as they should be.
    pub(crate) fn fresh_gateway(&self) {
        self.must(Place::Checkout, "vpnctl lab up || vpnctl lab up");
    }

    /// A file in the checkout.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Nothing is broken, the gateway is used, and has noticed.
    pub(crate) fn heal(&self) {
        self.must(Place::Checkout, "vpnctl lab heal");
        let look = "vpnctl undrain && vpnctl enable north-a && vpnctl peers";
        let is_well = || self.run(Place::Gateway, look).status.success();
        assert!(eventually(is_well), "{}", said(&self.run(Place::Gateway, "vpnctl peers")));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.run(Place::Checkout, "vpnctl lab down");
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

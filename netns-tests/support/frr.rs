//! FRR as Debian packages it: zebra and bgpd, steered by vtysh.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use vpngw::lab::daemon;
use vpngw::os::process::Process;

use super::charon::text;
use super::eventually;
use super::pair::Pair;

const DAEMONS: &str = "/usr/lib/frr";

/// A running FRR.
pub(crate) struct Frr {
    _processes: [Process; 2],
    /// zebra gives its rights up and looks at its files as somebody else.
    folder: TempDir,
}

impl Frr {
    /// Starts FRR at a node of the pair and waits until it answers.
    pub(crate) fn start(pair: &Pair, node: &str, bgpd: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::write(folder.path().join("zebra.conf"), "hostname zebra\n").unwrap();
        std::fs::write(folder.path().join("bgpd.conf"), bgpd).unwrap();
        let start = |name: &str, rights: &[&str]| {
            let path = |suffix: &str| folder.path().join(format!("{name}.{suffix}"));
            let mut command = Command::new(format!("{DAEMONS}/{name}"));
            command.args(rights).arg("-f").arg(path("conf")).arg("-i").arg(path("pid"));
            command.arg("-z").arg(folder.path().join("zserv"));
            command.arg("--vty_socket").arg(folder.path()).args(["--log", "stdout"]);
            let log = pair.path(&format!("{name}.log"));
            daemon::start_in(&mut command, &pair.namespace(node), &log)
                .expect("FRR is not installed: run ./test")
        };
        let zebra = start("zebra", &["-u", "frr", "-g", "frr"]);
        let connected: PathBuf = folder.path().join("zserv");
        assert!(eventually(|| connected.exists()), "zebra does not start");
        let bgpd = start("bgpd", &["-S"]);
        let frr = Frr { _processes: [zebra, bgpd], folder };
        assert!(eventually(|| frr.ask("show bgp summary").contains("BGP router identifier")));
        frr
    }

    /// What vtysh answers.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut command = Command::new("vtysh");
        command.arg("--vty_socket").arg(self.folder.path()).arg("-c").arg(request);
        text(&command.output().expect("FRR is not installed: run ./test"))
    }

    /// Has it do some lines of configuration.
    pub(crate) fn configure(&self, lines: &[&str]) {
        let mut command = Command::new("vtysh");
        command.arg("--vty_socket").arg(self.folder.path()).args(["-c", "configure terminal"]);
        for line in lines {
            command.args(["-c", line]);
        }
        let said = text(&command.output().expect("vtysh"));
        assert!(!said.contains('%'), "{said}");
    }

    /// Waits until an answer contains some words.
    pub(crate) fn comes_to_answer(&self, request: &str, words: &str) -> bool {
        eventually(|| self.ask(request).contains(words))
    }
}

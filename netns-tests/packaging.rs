//! The Debian package, as far as it goes without systemd: what it installs, and what its units do
//! at boot, in their order.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use vpngw::os::netns;
use vpngw::os::sysctl;

use crate::support::charon;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{self, Auth, bgp, config, write_keys};

const FORWARDING: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/// The package, built from the programs under test and unpacked.
fn unpacked() -> TempDir {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = Path::new(vpngwd::PROGRAM).parent().unwrap();
    let tree = tempfile::tempdir().unwrap();
    let mut build = Command::new(source.join("packaging/build-deb"));
    run(build.arg(programs).env("OUTPUT", tree.path()));
    let package = files(tree.path()).into_iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("vpngw_") && name.ends_with(".deb")
    });
    run(Command::new("dpkg-deb").arg("-x").arg(package.unwrap()).arg(tree.path()));
    tree
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", charon::text(&output));
    charon::text(&output)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The values of a key of a unit, in their order.
fn values(unit: &str, key: &str) -> Vec<String> {
    let values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

#[test]
fn the_package_opens_forwarding_behind_its_guards_only() {
    let tree = unpacked();
    forwarding_is_the_guard_units(&tree);
    guards_stand_before_forwarding_opens(&tree);
}

fn forwarding_is_the_guard_units(tree: &TempDir) {
    let opens = |path: &&PathBuf| {
        let text = std::fs::read(path).unwrap();
        !path.starts_with(tree.path().join("usr/bin"))
            && path.extension().is_none_or(|extension| extension != "deb")
            && String::from_utf8_lossy(&text).lines().any(|line| line.starts_with(FORWARDING[0]))
    };
    let all = files(tree.path());
    let opening: Vec<&PathBuf> = all.iter().filter(opens).collect();
    assert_eq!(opening, [&tree.path().join("usr/lib/vpngw/forwarding.conf")]);
    let units = tree.path().join("usr/lib/systemd/system");
    let guard = std::fs::read_to_string(units.join("vpngwd-guard.service")).unwrap();
    assert_eq!(values(&guard, "DefaultDependencies"), ["no"]);
    assert!(values(&guard, "Before")[0].split(' ').any(|unit| unit == "network-pre.target"));
    assert_eq!(values(&guard, "Type"), ["oneshot"], "the second command waits for the first");
    let daemon = std::fs::read_to_string(units.join("vpngwd.service")).unwrap();
    assert!(values(&daemon, "After")[0].contains("vpngwd-guard.service"));
    assert!(values(&daemon, "Wants")[0].contains("vpngwd-guard.service"));
}

/// Runs what the guard unit runs, in its order, in the namespace of left.
fn guards_stand_before_forwarding_opens(tree: &TempDir) {
    let pair = Pair::new();
    write_keys(&pair);
    let text = config(&pair, Side::Left, Auth::Psk, &bgp(Side::Left), "");
    let file = pair.write("left.toml", &text);
    let namespace = pair.namespace("left");
    FORWARDING.iter().for_each(|key| sysctl::write(Some(&namespace), key, "0").unwrap());
    let unit = tree.path().join("usr/lib/systemd/system/vpngwd-guard.service");
    let commands = values(&std::fs::read_to_string(unit).unwrap(), "ExecStart");
    assert_eq!(commands.len(), 2, "{commands:?}");
    let mut states = Vec::new();
    for command in commands {
        let words: Vec<String> = command
            .split(' ')
            .map(|word| match word {
                "/etc/vpngw/vpngw.toml" => file.display().to_string(),
                // Where there is no systemd, procps does the same.
                "/usr/lib/systemd/systemd-sysctl" if !Path::new(word).exists() => {
                    "/sbin/sysctl".to_owned()
                }
                word if word.starts_with("/usr/lib/systemd/") => word.to_owned(),
                word if word.starts_with('/') => tree.path().join(&word[1..]).display().to_string(),
                word => word.to_owned(),
            })
            .collect();
        let mut command = Command::new(&words[0]);
        if words[0] == "/sbin/sysctl" {
            command.arg("-p");
        }
        command.args(&words[1..]);
        netns::place(&mut command, &namespace).unwrap();
        run(&mut command);
        let rules = run(Command::new("ip").args(["-n", &namespace, "rule", "show"]));
        let forwards = FORWARDING.map(|key| sysctl::read(Some(&namespace), key).unwrap());
        states.push((rules.contains("lookup 79001"), forwards.join(" ")));
    }
    assert_eq!(states, [(true, "0 0".to_owned()), (true, "1 1".to_owned())]);
}

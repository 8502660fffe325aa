//! The packages, as far as they go without systemd: what they install, what their units do at boot,
//! in their order, and that README's steps end in a running gateway.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vpngw::os::netns;
use vpngw::os::sysctl;

use crate::support::charon;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{self, Auth, bgp, config, write_keys};

const FORWARDING: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/// How long two packages may take to be installed, on a machine that is busy.
const SETTING_UP: Duration = Duration::from_secs(180);
const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// Runs one of the scripts that build packages, with the programs under test.
fn build(script: &str, output: &Path) {
    let programs = Path::new(vpngwd::PROGRAM).parent().unwrap();
    let script = Path::new(SOURCE).join("packaging").join(script);
    run(Command::new(script).arg(programs).env("OUTPUT", output).env("FAST", "1"));
}

/// The package, among those in a folder.
fn package(folder: &Path) -> PathBuf {
    let is_package = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("vpngw_") && name.ends_with(".deb")
    };
    files(folder).into_iter().find(is_package).unwrap()
}

/// The package, built from the programs under test and unpacked.
fn unpacked() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    build("build-deb", tree.path());
    run(Command::new("dpkg-deb").arg("-x").arg(package(tree.path())).arg(tree.path()));
    tree
}

/// Whether a program is there; `./test` installs all of them.
fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
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

/// The commands under a heading of README.md, without what is said of them.
fn commands_of(heading: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(SOURCE).join("README.md")).unwrap();
    let section = readme.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let block = section.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    let command =
        |line: &str| line.split("  #").next().unwrap_or_default().trim().to_owned() + "\n";
    block.lines().map(command).collect()
}

#[test]
fn from_the_package_by_readme_to_a_pair_that_works_and_back() {
    let pair = Pair::new();
    let shared = tempfile::tempdir().unwrap();
    build("build-deb", shared.path());
    let package = package(shared.path());
    let commands = shared.path().join("commands");
    std::fs::write(&commands, commands_of("Use it")).unwrap();
    let script = Path::new(SOURCE).join("netns-tests/support/package.sh");
    let begin = |side: Side| {
        let mut command = Command::new("unshare");
        command.args(["-m", "-u", "sh"]).arg(&script).arg(side.name());
        command.arg(&package).arg(&commands).arg(shared.path());
        let said = File::create(shared.path().join(format!("{}.said", side.name()))).unwrap();
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        netns::place(&mut command, &pair.namespace(side.name())).unwrap();
        command.spawn().unwrap()
    };
    let mut scripts = Side::BOTH.map(|side| (side, begin(side)));
    let begun = Instant::now();
    let mut works = false;
    while !works && begun.elapsed() < SETTING_UP {
        works = pair.comes_to_work();
        let ended = scripts.iter_mut().any(|(_, script)| script.try_wait().unwrap().is_some());
        if ended {
            break;
        }
    }
    std::fs::write(shared.path().join("works"), "").unwrap();
    for (side, script) in &mut scripts {
        let ended = script.wait().unwrap();
        let said = std::fs::read_to_string(shared.path().join(format!("{}.said", side.name())));
        let said = said.unwrap();
        println!("{said}");
        assert!(ended.success(), "{}: {said}", side.name());
    }
    assert!(works, "hosts reach each other");
}

#[test]
fn the_same_programs_make_the_same_packages() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let scripts = ["build-deb", "build-rpm", "build-oci"];
    let scripts = scripts.iter().filter(|script| **script != "build-rpm" || is_there("rpmbuild"));
    for script in scripts {
        folders.iter().for_each(|folder| build(script, folder.path()));
    }
    let contents = |folder: &TempDir| {
        let mut found = files(folder.path());
        found.sort();
        found
            .into_iter()
            .map(|path| {
                (
                    path.strip_prefix(folder.path()).unwrap().to_owned(),
                    std::fs::read(&path).unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    let [first, second] = folders.each_ref().map(contents);
    assert!(first.len() >= 3, "{}", first.len());
    for ((name, one), (_, other)) in first.iter().zip(&second) {
        assert!(one == other, "{} differs", name.display());
    }
    let image = first.iter().find(|(name, _)| name.extension().is_some_and(|end| end == "tar"));
    the_image_runs(&folders[0].path().join(&image.unwrap().0));
}

#[test]
fn the_rpm_installs_its_user_and_goes_again() {
    if !is_there("rpmbuild") {
        return println!("rpmbuild is not there: ./test installs it");
    }
    let folder = tempfile::tempdir().unwrap();
    build("build-rpm", folder.path());
    let script = r#"
        set -e
        mount -t tmpfs tmpfs "$0" -o X-mount.mkdir && cd "$0" && mkdir upper work root
        mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
        mount -t tmpfs tmpfs root/run && cp "$1" root/run/vpngw.rpm
        exec chroot root sh -ec '
            rpm -i --nodeps --force-debian /run/vpngw.rpm 2> /dev/null
            stat -c "%U:%G %a" /etc/vpngw
            rpm -V --nodeps vpngw
            vpngwd --version
            rpm -e --nodeps vpngw
            [ ! -e /usr/bin/vpngwd ] && [ ! -e /etc/vpngw ] && echo gone'
    "#;
    let package = files(folder.path()).into_iter().next().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(folder.path().join("tree")).arg(package);
    let said = run(&mut command);
    assert!(said.starts_with("root:vpngw 2750\nvpngwd "), "{said}");
    assert!(said.contains("\ngone\n"), "{said}");
}

/// Unpacks the layer of an image and runs the daemon there, where there is nothing else.
fn the_image_runs(image: &Path) {
    let work = tempfile::tempdir().unwrap();
    run(Command::new("tar").arg("-xf").arg(image).arg("-C").arg(work.path()));
    let blobs = files(&work.path().join("blobs"));
    for blob in &blobs {
        let sum = run(Command::new("sha256sum").arg(blob));
        assert!(sum.starts_with(&*blob.file_name().unwrap().to_string_lossy()), "{sum}");
    }
    let layer = blobs.iter().max_by_key(|blob| std::fs::metadata(blob).unwrap().len()).unwrap();
    let root = work.path().join("root");
    std::fs::create_dir(&root).unwrap();
    run(Command::new("tar").arg("-xzf").arg(layer).arg("-C").arg(&root));
    for program in ["vpngwd", "vpnctl"] {
        let said = run(Command::new("chroot").arg(&root).arg(program).arg("--version"));
        assert!(said.starts_with(program), "{said}");
    }
}

#[test]
fn the_package_is_as_debian_wants_it() {
    if !is_there("lintian") {
        return println!("lintian is not there: ./test installs it");
    }
    let folder = tempfile::tempdir().unwrap();
    build("build-deb", folder.path());
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"]);
    println!("{}", run(lintian.arg(package(folder.path()))));
}

#[test]
fn the_package_opens_forwarding_behind_its_guards_only() {
    let tree = unpacked();
    forwarding_is_the_guard_units(&tree);
    guards_stand_before_forwarding_opens(&tree);
}

/// What the timer runs is a command of the program in the package, which finds that all is fresh.
#[test]
fn the_package_renews_what_an_authority_on_the_host_has_signed() {
    let tree = unpacked();
    let units = tree.path().join("usr/lib/systemd/system");
    let unit = |name: &str| std::fs::read_to_string(units.join(name)).unwrap();
    let service = unit("vpngw-ca-renew.service");
    let installed = "/etc/vpngw/ca";
    assert_eq!(values(&service, "ConditionPathExists"), [format!("{installed}/ca.key")]);
    assert_eq!(values(&service, "ReadWritePaths"), [installed]);
    assert_eq!(values(&unit("vpngw-ca-renew.timer"), "WantedBy"), ["timers.target"]);
    assert_eq!(values(&service, "PrivateNetwork"), ["yes"]);
    assert_eq!(values(&service, "ExecStartPost"), [""; 0], "it could deliver nothing");
    // The gateway's service reads what root has made, whatever root's umask.
    let vpnctl = |words: &[&str]| {
        let mut command = Command::new("sh");
        let script = "umask 077; exec usr/bin/vpnctl \"$@\"";
        run(command.current_dir(tree.path()).args(["-c", script, "vpnctl"]).args(words))
    };
    vpnctl(&["ca", "init", "ca"]);
    vpnctl(&["ca", "issue", "ca", "hq.example.com"]);
    for (path, mode) in [
        ("ca", 0o755),
        ("ca/current", 0o755),
        ("ca/current/hq.example.com.crt", 0o644),
        ("ca/ca.crl", 0o644),
        ("ca/ca.key", 0o600),
    ] {
        let facts = std::fs::metadata(tree.path().join(path)).unwrap();
        assert_eq!(facts.permissions().mode() & 0o777, mode, "{path}");
    }
    let [command] = values(&service, "ExecStart").try_into().unwrap();
    let words: Vec<&str> = command
        .strip_prefix("/usr/bin/vpnctl ")
        .unwrap()
        .split(' ')
        .map(|word| if word == installed { "ca" } else { word })
        .collect();
    assert_eq!(vpnctl(&words), "nothing is due\n");
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

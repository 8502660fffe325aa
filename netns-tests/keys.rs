//! Keys on a disk that is full: whole or not there.

use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vpnctl");

/// A folder of one page, which another file already fills, in a mount namespace of its own.
const ON_A_FULL_DISK: &str = r#"
    mount -t tmpfs -o size=4k none "$1" && head -c 4096 /dev/zero > "$1/filler"
    "$2" keygen -o "$1/gateway.key" && exit 10
    "$2" keygen --psk -o "$1/shared.psk" && exit 11
    ls -A "$1"
"#;

#[test]
fn a_full_disk_leaves_no_part_of_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", ON_A_FULL_DISK, "sh"]).arg(folder.path()).arg(PROGRAM);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "filler\n", "{said}");
    assert!(said.contains("cannot be written"), "{said}");
}

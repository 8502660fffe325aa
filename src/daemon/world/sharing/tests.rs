use super::*;
use std::collections::BTreeSet;

fn example() -> Sharing {
    Sharing {
        vpc: VpcId(0),
        netns: Some("shop".to_owned()),
        local: [10, 9, 1, 2].into(),
        sibling: [10, 9, 1, 3].into(),
        port: 3780,
        ignored: BTreeSet::from(["10.2.0.0/16".parse().unwrap()]),
        path: "/run/vpngw/east-a-shop.conntrackd".to_owned(),
    }
}

#[test]
fn states_go_into_the_kernel_at_once_and_those_of_tunnels_stay_here() {
    let text = config(&example(), &Files::of(&example()));
    for expected in [
        "DisableExternalCache on",
        "IPv4_Destination_Address 127.0.0.2",
        "Port 3780",
        "IPv4_address 10.2.0.0/16",
        "LockFile /run/vpngw/east-a-shop.conntrackd.lock",
    ] {
        assert!(text.lines().any(|line| line.trim() == expected), "{expected} is not in {text}");
    }
}

#[test]
fn the_first_mistake_of_the_log_is_told_without_its_time() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let text = "[Mon Nov 30 17:07:02 2026] (pid=1) [warning] lo is an invalid interface\n\
                [Mon Nov 30 17:07:02 2026] (pid=1) [ERROR] can't open channel socket\n";
    std::fs::write(log.path(), text).unwrap();
    assert_eq!(complaint(log.path()), "can't open channel socket");
    assert_eq!(complaint(Path::new("/nonexistent")), "it ended without a word");
}

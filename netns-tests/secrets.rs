//! Keys live as long as their SA, and no longer: the memory of the daemon is searched for them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use vpngw::ike::ChildUp;
use vpngw::os::process::Process;

use crate::support::pair::{Pair, Side};
use crate::support::script::Script;
use crate::support::vpngwd::{Auth, Gateway, config, static_routes, write_keys};

/// Longer than packets under way may still be opened with the keys of an SA that is gone.
const GRACE: Duration = Duration::from_secs(8);

#[test]
fn keys_are_gone_when_their_sa_is() {
    let pair = Pair::new();
    write_keys(&pair);
    let text = config(&pair, Side::Left, Auth::Psk, &static_routes(Side::Left), "initiate = false");
    let gateway = Gateway::start(&pair, Side::Left, &text);
    let mut peer = Script::start(&pair, Side::Right);
    assert!(peer.comes_to(|peer| peer.children.len() == 1), "{}", gateway.log());
    peer.stays(Duration::from_secs(1));
    let first = peer.children[0].clone();
    assert_eq!(found(&gateway.process, &first), [true, true], "the search finds keys in use");

    peer.rekey();
    assert!(peer.comes_to(|peer| peer.gone == 1), "{}", gateway.log());
    peer.stays(GRACE);
    let second = peer.children[1].clone();
    assert_eq!(found(&gateway.process, &second), [true, true]);
    assert_eq!(found(&gateway.process, &first), [false, false], "after the rekeying");

    peer.terminate();
    assert!(peer.comes_to(|peer| peer.gone == 2), "{}", gateway.log());
    peer.stays(GRACE);
    assert_eq!(found(&gateway.process, &second), [false, false], "after the end of the IKE SA");
}

#[test]
fn the_daemon_gives_up_what_it_does_not_need() {
    let pair = Pair::new();
    write_keys(&pair);
    let text = config(&pair, Side::Left, Auth::Psk, &static_routes(Side::Left), "");
    let gateway = Gateway::start(&pair, Side::Left, &text);
    let about = |name: &str| {
        let status = fs::read_to_string(format!("/proc/{}/{name}", gateway.process.pid())).unwrap();
        status.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK,
    // CAP_SYS_NICE.
    let kept = [2, 10, 12, 13, 14, 23].into_iter().fold(0_u64, |set, bit| set | 1 << bit);
    let kept = format!("{kept:016x}");
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert!(about("status").contains(&format!("{set}:\t{kept}")), "{:?}", about("status"));
    }
    assert!(about("status").contains(&"NoNewPrivs:\t1".to_owned()));
    let core = about("limits").into_iter().find(|line| line.starts_with("Max core")).unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    let locked = about("status").into_iter().find(|line| line.starts_with("VmLck:")).unwrap();
    assert!(!locked.contains("\t       0 kB"), "{locked}");
}

/// Whether the keys of both directions lie anywhere in what the process may write to.
fn found(process: &Process, child: &ChildUp) -> [bool; 2] {
    let memory = File::open(format!("/proc/{}/mem", process.pid())).unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid())).unwrap();
    let keys = [&child.inbound, &child.outbound].map(|keys| &keys.keymat.as_bytes()[..16]);
    let mut found = [false; 2];
    for (start, end) in maps.lines().filter_map(writable) {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // A region may vanish between the list and the look, or not be memory.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            keys.iter().zip(&mut found).for_each(|(key, found)| *found |= holds(&bytes, key));
        }
    }
    found
}

/// First and last address of a line of `/proc/PID/maps` that stands for writable memory.
fn writable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    words.next()?.starts_with("rw").then_some(())?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

fn holds(bytes: &[u8], key: &[u8]) -> bool {
    bytes
        .iter()
        .enumerate()
        .any(|(place, first)| *first == key[0] && bytes[place..].starts_with(key))
}

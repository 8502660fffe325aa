//! What makes life hard for gateways without being a failure of theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, available_parallelism, spawn};

use vpngw::lab::{Lab, reference};

/// Keeps all cores busy until it is dropped, two threads each.
pub(crate) struct Burners {
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Burners {
    pub(crate) fn begin() -> Burners {
        let ending = Arc::new(AtomicBool::new(false));
        let count = 2 * available_parallelism().map_or(1, usize::from);
        let threads = (0..count).map(|_| burn(Arc::clone(&ending))).collect();
        Burners { ending, threads }
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

fn burn(ending: Arc<AtomicBool>) -> JoinHandle<()> {
    spawn(move || {
        let mut spins = 0_u64;
        while !ending.load(Ordering::Relaxed) {
            spins = std::hint::black_box(spins.wrapping_add(1));
        }
    })
}

/// The underlay drops what matches, in words of nft(8), until [`let_pass`].
pub(crate) fn drop_in_underlay(lab: &Lab, matches: &[&str]) {
    nft(lab, "add table inet adversity");
    nft(lab, "add chain inet adversity way { type filter hook forward priority 0; }");
    for words in matches {
        nft(lab, &format!("add rule inet adversity way {words} drop"));
    }
}

/// The underlay drops nothing of that any more.
pub(crate) fn let_pass(lab: &Lab) {
    nft(lab, "delete table inet adversity");
}

fn nft(lab: &Lab, words: &str) {
    let argv: Vec<String> = ["nft", words].map(str::to_owned).into();
    assert!(lab.exec(reference::UNDERLAY, &argv).unwrap().success(), "{words}");
}

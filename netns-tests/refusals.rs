//! Two sides that must not connect: no tunnel, a clear reason at both, nothing in the clear.
//!
//! ```text
//!   left-host ── left ── middle ── right ── right-host        left and right disagree
//! ```

use std::time::Duration;

use vpngw::control::PeerState;

use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};
use crate::support::{eventually, wire};

/// The configurations of left and right, and what each must say of it.
struct Disagreement {
    auth: Auth,
    change: fn(&Pair, Side, String) -> String,
    /// Of these words, in lower case, one is in the reason of at least one side.
    words: &'static [&'static str],
}

#[test]
fn a_wrong_shared_secret_is_refused() {
    refuse(&Disagreement {
        auth: Auth::Psk,
        change: |pair, side, text| {
            let name = format!("{}.psk", side.name());
            pair.write(&name, &format!("a secret that only {} knows", side.name()));
            text.replace("shared.psk", &name)
        },
        words: &["authentication", "secret"],
    });
}

#[test]
fn a_wrong_key_is_refused() {
    refuse(&Disagreement {
        auth: Auth::Ed25519,
        change: |pair, side, text| {
            let other = vpngw::crypto::sign::SigningKey::generate(&mut vpngw::os::random::OsRandom);
            pair.write("stranger.pub", &other.verifying_key().to_base64());
            match side {
                Side::Left => text.replace("right.pub", "stranger.pub"),
                Side::Right => text,
            }
        },
        words: &["authentication", "signature", "key"],
    });
}

#[test]
fn a_wrong_identity_is_refused() {
    refuse(&Disagreement {
        auth: Auth::Psk,
        change: |_, side, text| match side {
            Side::Left => text.replace("remote_identity = \"right", "remote_identity = \"wrong"),
            Side::Right => text,
        },
        words: &["identity", "authentication"],
    });
}

#[test]
fn sides_without_a_common_proposal_are_refused() {
    refuse(&Disagreement {
        auth: Auth::Psk,
        change: |_, side, text| {
            let suite = match side {
                Side::Left => "aes128gcm16-prfsha256-ecp256",
                Side::Right => "chacha20poly1305-prfsha512-ecp384",
            };
            format!("{text}\nike_suites = [\"{suite}\"]\n")
        },
        words: &["proposal", "suite"],
    });
}

#[test]
fn sides_without_a_common_esp_proposal_are_refused() {
    refuse(&Disagreement {
        auth: Auth::Psk,
        change: |_, side, text| {
            let suite = match side {
                Side::Left => "aes128gcm16-esn",
                Side::Right => "chacha20poly1305-esn",
            };
            format!("{text}\nesp_suites = [\"{suite}\"]\n")
        },
        words: &["proposal", "suite"],
    });
}

fn refuse(disagreement: &Disagreement) {
    let pair = Pair::new();
    write_keys(&pair);
    let capture = pair.watch_underlay();
    let start = |side: Side| {
        let text = config(&pair, side, disagreement.auth, &bgp(side), "");
        Gateway::start(&pair, side, &(disagreement.change)(&pair, side, text))
    };
    let (left, right) = (start(Side::Left), start(Side::Right));

    let reports = pair.probing(Duration::from_millis(20), || {
        for gateway in [&left, &right] {
            let failed = || gateway.peer().summary.last_failure.is_some();
            assert!(eventually(failed), "{}: {:#?}", gateway.side.name(), gateway.peer());
        }
        std::thread::sleep(Duration::from_secs(2));
    });
    let reasons: Vec<String> = [&left, &right]
        .iter()
        .map(|gateway| {
            let peer = gateway.peer();
            assert_ne!(peer.summary.state, PeerState::Up);
            assert_eq!(peer.child_sas, []);
            peer.summary.last_failure.map(|failure| failure.reason).unwrap_or_default()
        })
        .collect();
    println!("    left:  {}\n    right: {}", reasons[0], reasons[1]);
    let said = |reason: &String| {
        disagreement.words.iter().any(|word| reason.to_lowercase().contains(word))
    };
    assert!(reasons.iter().all(said), "{reasons:?} say none of {:?}", disagreement.words);
    for report in reports {
        assert_eq!(report.sent(), report.lost(), "packets crossed");
    }
    wire::assert_sealed(&capture.finish().unwrap());
}

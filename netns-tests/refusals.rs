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

/// The configurations of left, which initiates, and of right, and what each says of it.
struct Disagreement {
    auth: Auth,
    change: fn(&Pair, Side, String) -> String,
    left: &'static str,
    right: &'static str,
}

/// RFC 7296 §2.21.2: the one who is refused learns no more than that.
const NOT_ACCEPTED: &str = "authentication failed: the peer does not accept our identity or our \
                            key (AUTHENTICATION_FAILED); its log says which";

#[test]
fn a_wrong_shared_secret_is_refused() {
    refuse(&Disagreement {
        auth: Auth::Psk,
        change: |pair, side, text| {
            let name = format!("{}.psk", side.name());
            pair.write(&name, &format!("a secret that only {} knows", side.name()));
            text.replace("shared.psk", &name)
        },
        left: NOT_ACCEPTED,
        right: "authentication failed: the pre-shared keys of left.example.com and of this side \
                differ",
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
        left: "authentication failed: the signature of right.example.com does not fit the public \
               key configured for it",
        right: "the peer does not accept our authentication",
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
        left: NOT_ACCEPTED,
        right: "authentication failed: the peer asks for wrong.example.com, but this side is \
                right.example.com",
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
        left: "no common IKE proposal: the peer accepts none of what this side offers: \
               aes128gcm16-prfsha256-ecp256",
        right: "no common IKE proposal: the peer offers aes128gcm16-prfsha256-ecp256; this side \
                accepts chacha20poly1305-prfsha512-ecp384",
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
        left: "the peer is authenticated, but the Child SA was refused: no common ESP proposal: \
               the peer accepts none of what this side offers: aes128gcm16-esn",
        right: "the peer is authenticated, but the Child SA was refused: no common ESP proposal: \
                the peer offers aes128gcm16-esn; this side accepts chacha20poly1305-esn",
    });
}

fn refuse(disagreement: &Disagreement) {
    let pair = Pair::new();
    write_keys(&pair);
    let capture = pair.watch_underlay();
    let start = |side: Side| {
        let initiate = format!("initiate = {}", side == Side::Left);
        let text = config(&pair, side, disagreement.auth, &bgp(side), &initiate);
        Gateway::start(&pair, side, &(disagreement.change)(&pair, side, text))
    };
    let (left, right) = (start(Side::Left), start(Side::Right));

    let reports = pair.probing(Duration::from_millis(20), || {
        for (gateway, reason) in [(&left, disagreement.left), (&right, disagreement.right)] {
            let says_why = || says(gateway).as_deref() == Some(reason);
            assert!(eventually(says_why), "{}: {:?}", gateway.side.name(), says(gateway));
        }
        std::thread::sleep(Duration::from_secs(2));
    });
    for (gateway, reason) in [(&left, disagreement.left), (&right, disagreement.right)] {
        let peer = gateway.peer();
        assert_ne!(peer.summary.state, PeerState::Up);
        assert_eq!(peer.child_sas, []);
        assert_eq!(says(gateway).as_deref(), Some(reason), "it says the same after more attempts");
    }
    for report in reports {
        assert_eq!(report.sent(), report.lost(), "packets crossed");
    }
    wire::assert_sealed(&capture.finish().unwrap());
}

/// Why there is no tunnel.
fn says(gateway: &Gateway) -> Option<String> {
    gateway.peer().summary.last_failure.map(|failure| failure.reason)
}

//! Keys are replaced under traffic, from either side and from both at once; no packet is lost.
//!
//! ```text
//!   left-host ── left ══ ESP ══ middle ══ ESP ══ right ── right-host
//! ```

use std::time::Duration;

use vpngw::control::SaKind;

use crate::support::vpngwd::{Auth, Gateway, bgp, config};
use crate::support::{eventually, wire};

const INTERVAL: Duration = Duration::from_millis(2);

#[test]
fn no_packet_is_lost_while_keys_are_replaced() {
    let (pair, [left, right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Ed25519, &bgp(side), ""));
    let capture = pair.watch_underlay();

    let rounds: [(&str, SaKind, &[&Gateway]); 6] = [
        ("child, by left", SaKind::Child, &[&left]),
        ("child, by right", SaKind::Child, &[&right]),
        ("child, by both at once", SaKind::Child, &[&left, &right]),
        ("IKE SA, by left", SaKind::Ike, &[&left]),
        ("IKE SA, by right", SaKind::Ike, &[&right]),
        ("IKE SA, by both at once", SaKind::Ike, &[&left, &right]),
    ];
    for (name, kind, by) in rounds {
        let before = keys(&left, kind);
        let reports = pair.probing(INTERVAL, || {
            std::thread::sleep(Duration::from_millis(300));
            std::thread::scope(|scope| {
                for gateway in by {
                    scope.spawn(|| gateway.rekey(kind));
                }
            });
            assert!(eventually(|| keys(&left, kind) != before), "{name}: nothing was replaced");
            std::thread::sleep(Duration::from_millis(1500));
        });
        let (sent, lost) = reports
            .iter()
            .fold((0, 0), |(sent, lost), report| (sent + report.sent(), lost + report.lost()));
        println!("{name}: {sent} packets, {lost} lost");
        assert_eq!(lost, 0, "{name}");
        assert_one_tunnel(&left, &right);
    }
    wire::assert_sealed(&capture.finish().unwrap());
}

/// A lifetime of a few seconds replaces keys again and again.
#[test]
fn lifetimes_replace_keys_without_loss() {
    let short = "child_lifetime = \"5s\"\nike_lifetime = \"8s\"";
    let (pair, [left, right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), short));
    let mut seen = vec![keys(&left, SaKind::Child)];
    let reports = pair.probing(Duration::from_millis(5), || {
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(500));
            let now = keys(&left, SaKind::Child);
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
    });
    println!("{} Child SAs in 20 s", seen.len());
    assert!(seen.len() >= 4, "{seen:?}");
    for report in reports {
        assert_eq!(report.lost(), 0, "{report}");
    }
    assert_one_tunnel(&left, &right);
}

/// What names the keys in use.
pub(crate) fn keys(gateway: &Gateway, kind: SaKind) -> String {
    let peer = gateway.peer();
    match kind {
        SaKind::Ike => peer.ike_sa.map(|sa| sa.initiator_spi).unwrap_or_default(),
        SaKind::Child => {
            peer.child_sas.first().map(|sa| sa.outbound_spi.clone()).unwrap_or_default()
        }
    }
}

/// Both sides come to have one Child SA, the same one.
pub(crate) fn assert_one_tunnel(left: &Gateway, right: &Gateway) {
    let agree = || {
        let (left, right) = (left.peer(), right.peer());
        let spis = |peer: &vpngw::control::PeerView| -> Vec<(String, String)> {
            let spi = |sa: &vpngw::control::ChildSaView| {
                (sa.inbound_spi.clone(), sa.outbound_spi.clone())
            };
            peer.child_sas.iter().map(spi).collect()
        };
        let (ours, theirs) = (spis(&left), spis(&right));
        let [(our_in, our_out)] = ours.as_slice() else { return false };
        let [(their_in, their_out)] = theirs.as_slice() else { return false };
        let spi = |peer: &vpngw::control::PeerView| {
            peer.ike_sa.as_ref().map(|sa| (sa.initiator_spi.clone(), sa.responder_spi.clone()))
        };
        our_in == their_out && our_out == their_in && spi(&left) == spi(&right)
    };
    assert!(eventually(agree), "left {:#?}\nright {:#?}", left.peer(), right.peer());
}

//! A running gateway reads its configuration again.
//!
//! ```text
//!   left-host ── left ══ ESP ══ middle ══ ESP ══ right ── right-host
//!                 ▲ SIGHUP
//! ```

use std::time::Duration;

use vpngw::control::{PeersView, Request, SaKind};

use crate::rekeying::keys;
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config};

const INTERVAL: Duration = Duration::from_millis(5);

/// What both gateways begin with.
pub(crate) fn text(pair: &Pair, side: Side) -> String {
    config(pair, side, Auth::Psk, &bgp(side), "")
}

/// A peer more, who never answers.
pub(crate) const ANOTHER: &str = r#"
[[peer]]
name = "another"
remote_address = "10.79.2.99"
psk_file = "shared.psk"
static_routes = ["10.3.0.0/16"]
"#;

#[test]
fn unchanged_tunnels_do_not_notice_a_reload() {
    let (pair, [left, _right]) = Gateway::start_both(text);
    let before = [keys(&left, SaKind::Ike), keys(&left, SaKind::Child)];
    let peers = || -> usize { left.ask::<PeersView>(&Request::Peers).peers.len() };

    let reports = pair.probing(INTERVAL, || {
        left.reload(&format!("{}{ANOTHER}", text(&pair, Side::Left)));
        assert!(eventually(|| peers() == 2), "{}", left.log());
        left.reload(&text(&pair, Side::Left));
        assert!(eventually(|| peers() == 1), "{}", left.log());
    });
    for report in reports {
        assert_eq!(report.lost(), 0, "{report}");
    }
    assert_eq!([keys(&left, SaKind::Ike), keys(&left, SaKind::Child)], before);
}

#[test]
fn a_bad_file_keeps_the_old_configuration_and_says_why() {
    let (pair, [left, _right]) = Gateway::start_both(text);
    let before = keys(&left, SaKind::Child);

    let reports = pair.probing(INTERVAL, || {
        left.reload(&text(&pair, Side::Left).replace("psk_file", "psk_fiel"));
        assert!(left.comes_to_say("psk_fiel"), "{}", left.log());
        std::thread::sleep(Duration::from_millis(500));
    });
    for report in reports {
        assert_eq!(report.lost(), 0, "{report}");
    }
    assert_eq!(keys(&left, SaKind::Child), before);
    assert!(left.log().contains("psk_file"), "the nearest valid key is not named");
}

#[test]
fn a_changed_peer_gets_a_new_tunnel() {
    let (pair, [left, _right]) = Gateway::start_both(text);
    let suite = || left.peer().summary.esp_suite.unwrap_or_default();
    assert!(!suite().contains("chacha"), "{}", suite());
    left.reload(&format!("{}\nesp_suites = [\"chacha20poly1305-esn\"]", text(&pair, Side::Left)));
    assert!(eventually(|| suite().contains("chacha")), "{}", left.log());
    assert!(pair.comes_to_work());
}

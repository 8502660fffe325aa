//! Both sides start at the same moment, again and again; exactly one tunnel remains.
//!
//! ```text
//!   left-host ── left ══ ESP ══ middle ══ ESP ══ right ── right-host
//! ```

use crate::rekeying::assert_one_tunnel;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};

#[test]
fn both_may_initiate_at_once() {
    let pair = Pair::new();
    write_keys(&pair);
    let text = |side| config(&pair, side, Auth::Psk, &bgp(side), "");
    for _ in 0..3 {
        let (left, right) = std::thread::scope(|scope| {
            let left = scope.spawn(|| Gateway::start(&pair, Side::Left, &text(Side::Left)));
            let right = scope.spawn(|| Gateway::start(&pair, Side::Right, &text(Side::Right)));
            (left.join().unwrap(), right.join().unwrap())
        });
        assert!(pair.comes_to_work());
        assert_one_tunnel(&left, &right);
        left.stop();
        right.stop();
    }
}

/// A gateway that died without a word and comes back replaces the tunnel that its peer still
/// believes in.
#[test]
fn a_gateway_that_was_killed_comes_back() {
    let text = |pair: &Pair, side| config(pair, side, Auth::Ed25519, &bgp(side), "");
    let (pair, [left, right]) = Gateway::start_both(text);
    left.kill();
    let left = Gateway::start(&pair, Side::Left, &text(&pair, Side::Left));
    assert!(pair.comes_to_work());
    assert_one_tunnel(&left, &right);
}

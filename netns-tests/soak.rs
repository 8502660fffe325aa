//! A flow in each direction at a high rate, while keys are replaced every two seconds: no packet is lost, late or
//! there twice beyond what the links and devices do by themselves.
//!
//! ```text
//!   left-host ── left ══ ESP ══ middle ══ ESP ══ right ── right-host
//! ```
//!
//! For long, and as fast as the machine is:
//!
//! ```sh
//! SOAK_SECONDS=600 SOAK_RATE=60000 cargo test --release --test netns -- soak --ignored --nocapture
//! ```

use std::env;
use std::thread::sleep;
use std::time::{Duration, Instant};

use vpngw::control::SaKind;
use vpngw::lab::traffic::{Delivery, Stream};

use crate::rekeying::{assert_one_tunnel, keys};
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config};

/// Between two replacements.
const PAUSE: Duration = Duration::from_secs(2);
/// Packets a second of each stream where no figure is wanted: what a processor that others use carries, too.
const RATE: u32 = 3000;

#[test]
fn keys_that_are_replaced_all_the_time_cost_no_packet() {
    soak(Duration::from_secs(12), RATE);
}

#[test]
#[ignore = "long, and for a machine that does nothing else"]
fn for_long() {
    let setting = |name: &str| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seconds = setting("SOAK_SECONDS").unwrap_or(120);
    soak(Duration::from_secs(seconds.into()), setting("SOAK_RATE").unwrap_or(40_000));
}

fn soak(time: Duration, rate: u32) {
    let (pair, [left, right]) =
        Gateway::start_both(|pair, side| config(pair, side, Auth::Ed25519, &bgp(side), ""));
    let quiet = streaming(&pair, rate, || sleep(time / 4));
    let mut replaced = 0;
    let busy = streaming(&pair, rate, || {
        let begin = Instant::now();
        while begin.elapsed() < time {
            replaced += usize::from(replace(replaced, [&left, &right]));
        }
    });
    println!("    {replaced} times new keys");
    assert!(replaced as u64 >= time.as_secs() / PAUSE.as_secs() / 2, "{replaced}");
    for (quiet, busy) in quiet.iter().zip(&busy) {
        println!("    the same keys: {quiet}\n    new keys:      {busy}");
        assert_eq!((busy.reordered(), busy.duplicates()), (0, 0), "{busy}");
        // Queues of devices that are full are none of the gateways' doing.
        let share = |delivery: &Delivery| delivery.lost() as f64 / delivery.sent() as f64;
        let most = if quiet.lost() == 0 { 0.0 } else { 1.5 * share(quiet) + 0.001 };
        assert!(share(busy) <= most, "{busy}; without new keys {quiet}");
    }
    for gateway in [&left, &right] {
        let discards = gateway.peer().discards;
        assert!(discards.is_empty(), "{discards:?}");
    }
    assert_one_tunnel(&left, &right);
}

/// Replaces keys of one kind or the other, by one end, the other, or both at once; says whether it came to that
/// within the pause.
fn replace(round: usize, [left, right]: [&Gateway; 2]) -> bool {
    let kind = if round % 4 == 3 { SaKind::Ike } else { SaKind::Child };
    let by: &[&Gateway] = match round % 3 {
        0 => &[left],
        1 => &[right],
        _ => &[left, right],
    };
    let (before, begin) = (keys(left, kind), Instant::now());
    std::thread::scope(|scope| {
        for gateway in by {
            scope.spawn(|| gateway.rekey(kind));
        }
    });
    let is_new = eventually(|| keys(left, kind) != before);
    sleep(PAUSE.saturating_sub(begin.elapsed()));
    is_new
}

/// A stream each way while `act` runs, by IPv4 to the right and by IPv6 to the left.
fn streaming(pair: &Pair, rate: u32, act: impl FnOnce()) -> [Delivery; 2] {
    let streams = Side::BOTH.map(|side| {
        let [from, to] = [side, side.other()].map(|side| pair.namespace(&side.host()));
        let family = usize::from(side == Side::Right);
        Stream::start(&from, &to, side.other().host_addresses()[family], rate).unwrap()
    });
    act();
    streams.map(|stream| stream.finish().unwrap())
}

//! When two ends are in the same state: everything that decides what they do is equal, but points
//! in time count by their order only.
//!
//! An end is printed, and the text hashed. Where a point in time is printed, a mark stands in its
//! place, and the ranks of all of them follow the text. So a request that was repeated twice and
//! then answered leaves the same state as one that was answered at once. With `exact` the distances
//! from the present count, too.

use crate::crypto::digest::sha256;
use crate::time::Timestamp;
use std::fmt;

/// A state as text, with its points in time beside it.
#[derive(Default)]
pub(super) struct Printed {
    text: String,
    times: Vec<u64>,
    place: Place,
}

/// Where the printing is.
#[derive(Default)]
enum Place {
    #[default]
    Elsewhere,
    /// Behind `Timestamp`, which has a number in parentheses.
    Name,
    Parenthesis,
    /// In a field that is left out.
    LeftOut,
}

/// How long an answer took: nothing but measurements depends on it. (How often something was
/// repeated is not left out, so that no repetition leads back to where it began.)
const LEFT_OUT: [&str; 1] = ["round_trip"];
/// Beyond this many microseconds from now, points in time are all the same: no run gets there.
const FAR: u64 = 1_000_000_000;

impl fmt::Write for Printed {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.place = match (&self.place, piece) {
            (_, "Timestamp") => Place::Name,
            (Place::Name, "(") => Place::Parenthesis,
            (Place::Parenthesis, digits) => {
                let Ok(micros) = digits.parse() else { return Err(fmt::Error) };
                self.times.push(micros);
                self.text.push('@');
                self.place = Place::Elsewhere;
                return Ok(());
            }
            (Place::LeftOut, piece) if !matches!(piece, ", " | " }") => return Ok(()),
            (_, field) if LEFT_OUT.contains(&field) => Place::LeftOut,
            _ => Place::Elsewhere,
        };
        self.text.push_str(piece);
        Ok(())
    }
}

impl Printed {
    /// 128 bits of the state at `now`.
    pub(super) fn fingerprint(self, now: Timestamp, exact: bool) -> u128 {
        let Printed { text, times, .. } = self;
        let now = now.as_micros();
        let far = now + FAR;
        let mut order: Vec<u64> = times.iter().map(|time| *time.min(&far)).chain([now]).collect();
        order.sort_unstable();
        order.dedup();
        let rank = |time: &u64| order.binary_search(time).unwrap_or(0) as u64;
        let place = |time: &u64| if exact { time.wrapping_sub(now) } else { rank(time) };
        let places: Vec<u8> = times
            .iter()
            .map(|time| time.min(&far))
            .chain([&now])
            .flat_map(|time| place(time).to_le_bytes())
            .collect();
        fingerprint(&[text.as_bytes(), &places])
    }
}

/// 128 bits of some octets.
pub(super) fn fingerprint(parts: &[&[u8]]) -> u128 {
    let digest = sha256(parts);
    digest[..16].iter().fold(0, |number, octet| number << 8 | u128::from(*octet))
}

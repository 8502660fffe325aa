//! Bits per second of a tunnel or of a Child SA, from counters that are looked at once a second.

use crate::time::Timestamp;

/// Bytes in both directions since it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Sent.
    pub tx_bytes: u64,
    /// Received.
    pub rx_bytes: u64,
}

/// The rates between the last two looks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    last: Option<(Timestamp, Totals)>,
    /// Bits per second sent.
    pub tx_bits: u64,
    /// Bits per second received.
    pub rx_bits: u64,
}

impl Rates {
    /// Takes a look at the counters into account.
    pub(super) fn sample(&mut self, totals: Totals, now: Timestamp) {
        if let Some((then, before)) = self.last {
            let micros = u64::try_from(now.since(then).as_micros()).unwrap_or(u64::MAX);
            self.tx_bits = per_second(totals.tx_bytes, before.tx_bytes, micros);
            self.rx_bits = per_second(totals.rx_bytes, before.rx_bytes, micros);
        }
        self.last = Some((now, totals));
    }
}

fn per_second(after: u64, before: u64, micros: u64) -> u64 {
    let bits = u128::from(after.saturating_sub(before)) * 8 * 1_000_000;
    u64::try_from(bits / u128::from(micros.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

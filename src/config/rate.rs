//! Rates, as operators write them: `"20 Mbit/s"`.

use super::diagnostics::Fault;
use super::words;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use toml::de::DeValue;

/// Bits per second of a constant rate: a datagram a second at least, and no more than one thread seals
/// beside all that it waits for.
const CONSTANT: RangeInclusive<u64> = 16_000..=2_000_000_000;

/// Bits per second of a limit: some packets a second at least.
const LIMIT: RangeInclusive<u64> = 64_000..=100_000_000_000;

/// The bits per second of a constant rate.
pub(super) fn constant(value: &DeValue<'_>) -> Result<NonZeroU64, Fault> {
    within(&CONSTANT, value, "the constant rate", "must be from 16 kbit/s to 2 Gbit/s")
}

/// The bits per second of a limit.
pub(super) fn limit(value: &DeValue<'_>) -> Result<NonZeroU64, Fault> {
    within(&LIMIT, value, "the rate", "must be from 64 kbit/s to 100 Gbit/s")
}

fn within(
    range: &RangeInclusive<u64>,
    value: &DeValue<'_>,
    what: &str,
    label: &str,
) -> Result<NonZeroU64, Fault> {
    let text = words::text(value)?;
    let bits = parse(&text).ok_or_else(|| {
        Fault::new(format!("{text:?} is not a rate"))
            .label("not a rate")
            .help("write a number with kbit/s, Mbit/s or Gbit/s, for example \"20 Mbit/s\"")
    })?;
    NonZeroU64::new(bits)
        .filter(|bits| range.contains(&bits.get()))
        .ok_or_else(|| Fault::new(format!("{what} is out of range")).label(label))
}

/// Whole numbers, or with a fraction of as many digits as have a meaning.
fn parse(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let digits = match unit {
        "kbit/s" => 3,
        "Mbit/s" => 6,
        "Gbit/s" => 9,
        _ => return None,
    };
    let (whole, fraction) = number.trim_end().split_once('.').unwrap_or((number.trim_end(), "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|one| one.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

#[cfg(test)]
mod tests;

//! Amounts as people read them.

/// A span of time in at most two units.
pub(super) fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A round-trip time.
pub(super) fn round_trip(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros}µs"),
        1000..100_000 => format!("{:.1}ms", micros as f64 / 1e3),
        _ => format!("{}ms", micros / 1000),
    }
}

/// A rate.
pub(super) fn rate(bits_per_second: u64) -> String {
    scaled(bits_per_second, "bit/s")
}

/// An amount of data.
pub(super) fn volume(bytes: u64) -> String {
    scaled(bytes, "B")
}

/// A number with a decimal prefix: three digits at most before the unit.
fn scaled(number: u64, unit: &str) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut scaled = number as f64;
    let mut prefixes = PREFIXES.into_iter();
    let mut prefix = prefixes.next().unwrap_or_default();
    while scaled >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        prefix = next;
        scaled /= 1000.0;
    }
    let digits = if prefix.is_empty() || scaled >= 9.95 { 0 } else { 1 };
    format!("{scaled:.digits$} {prefix}{unit}")
}

#[cfg(test)]
mod tests;

//! Points of the calendar, as certificates have them and people read them.

use crate::time::WallTime;
use std::fmt;
use std::time::Duration;
use x509_cert::der::DateTime;
use x509_cert::time::Time;

/// A point of the calendar in the words of RFC 3339, such as `2026-12-29T18:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub WallTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_micros(self.0.as_unix_micros())) {
            Ok(date) => date.fmt(f),
            Err(_) => f.write_str("a day beyond the year 9999"),
        }
    }
}

/// A point of the calendar in a certificate.
pub(super) fn wall_time(time: Time) -> WallTime {
    let micros = time.to_unix_duration().as_micros();
    WallTime::from_unix_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// A point of the calendar as `webpki` takes it.
pub(super) fn unix_time(at: WallTime) -> pki_types::UnixTime {
    pki_types::UnixTime::since_unix_epoch(Duration::from_micros(at.as_unix_micros()))
}

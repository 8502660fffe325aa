//! Stateless cookies against floods from addresses that nobody answers at (RFC 7296 §2.6).
//!
//! ```text
//! Cookie = version of the secret | prf(secret, Ni | IPi | SPIi)
//! ```

use crate::crypto::prf::Prf;
use crate::crypto::secret::{Secret, ct_eq};
use crate::moment::Moment;
use crate::random::Random;
use crate::time::Timestamp;
use crate::wire::ike::IkeSpi;
use std::net::IpAddr;
use std::time::Duration;

/// How long one secret makes cookies; they are accepted for as long again.
const ROTATION: Duration = Duration::from_secs(60);

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct CookieJar {
    version: u8,
    current: Secret,
    previous: Option<Secret>,
    rotate_at: Timestamp,
}

/// What a cookie is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer<'a> {
    pub nonce: &'a [u8],
    pub address: IpAddr,
    pub spi: IkeSpi,
}

impl CookieJar {
    /// A jar with a fresh secret.
    pub(super) fn new(at: &mut Moment<'_>) -> Self {
        CookieJar {
            version: 0,
            current: fresh_secret(at.random),
            previous: None,
            rotate_at: at.now + ROTATION,
        }
    }

    /// Changes the secret when it is old.
    pub(super) fn rotate(&mut self, at: &mut Moment<'_>) {
        if at.now < self.rotate_at {
            return;
        }
        let long_unused = at.now >= self.rotate_at + ROTATION;
        let retired = std::mem::replace(&mut self.current, fresh_secret(at.random));
        self.previous = (!long_unused).then_some(retired);
        self.version = self.version.wrapping_add(1);
        self.rotate_at = at.now + ROTATION;
    }

    /// The cookie that this bearer must return.
    pub(super) fn make(&self, bearer: Bearer<'_>) -> Vec<u8> {
        bake(self.version, &self.current, bearer)
    }

    /// Whether a cookie was made for this bearer, by this secret or the one before.
    pub(super) fn accepts(&self, cookie: &[u8], bearer: Bearer<'_>) -> bool {
        let before = self.version.wrapping_sub(1);
        let current = ct_eq(cookie, &bake(self.version, &self.current, bearer));
        let previous =
            self.previous.as_ref().is_some_and(|old| ct_eq(cookie, &bake(before, old, bearer)));
        current || previous
    }
}

fn bake(version: u8, secret: &Secret, bearer: Bearer<'_>) -> Vec<u8> {
    // Mapped to one length, so that no two bearers write the same octets.
    let address = match bearer.address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let parts: [&[u8]; 3] = [&address, &bearer.spi.0, bearer.nonce];
    let mac = Prf::HmacSha256.compute(secret.as_bytes(), &parts);
    [&[version], mac.as_bytes()].concat()
}

fn fresh_secret(random: &mut dyn Random) -> Secret {
    let mut secret = vec![0; 32];
    random.fill(&mut secret);
    Secret::from(secret)
}

#[cfg(test)]
mod tests;

//! Views of the certificates of a tunnel.

use crate::config::{Credentials, PeerConfig};
use crate::control::{CertificateView, CertificatesView};
use crate::ike::IkeView;
use crate::pki::{Date, Vouched};
use crate::time::WallTime;

/// Ours and the peer's.
pub(super) fn view(config: &PeerConfig, ike: Option<&IkeView>, now: WallTime) -> CertificatesView {
    CertificatesView { own: own(config, now), peer: peer(ike, now) }
}

/// When ours expires, in seconds since 1970.
pub(super) fn own_expires(config: &PeerConfig) -> Option<u64> {
    let Credentials::Certificate { own, .. } = &config.credentials else { return None };
    Some(seconds(own.leaf().not_after()))
}

/// When the peer's expires, in seconds since 1970.
pub(super) fn peer_expires(ike: Option<&IkeView>) -> Option<u64> {
    vouched(ike).map(|vouched| seconds(vouched.expires()))
}

fn own(config: &PeerConfig, now: WallTime) -> Option<CertificateView> {
    let Credentials::Certificate { own, .. } = &config.credentials else { return None };
    let leaf = own.leaf();
    Some(one(leaf.to_string(), leaf.issuer().to_owned(), leaf.not_after(), now))
}

fn peer(ike: Option<&IkeView>, now: WallTime) -> Option<CertificateView> {
    let vouched = vouched(ike)?;
    let authority = vouched.authority().to_string();
    let view = one(vouched.certificate().to_string(), authority, vouched.expires(), now);
    Some(CertificateView { stale_crl: vouched.stale_crl().map(str::to_owned), ..view })
}

fn vouched(ike: Option<&IkeView>) -> Option<&Vouched> {
    ike?.certificate.as_deref()
}

fn one(
    certificate: String,
    authority: String,
    expires: WallTime,
    now: WallTime,
) -> CertificateView {
    let signed = |at: WallTime| i64::try_from(seconds(at)).unwrap_or(i64::MAX);
    CertificateView {
        certificate,
        authority,
        expires: Date(expires).to_string(),
        expires_unix_s: seconds(expires),
        expires_in_s: signed(expires) - signed(now),
        stale_crl: None,
    }
}

fn seconds(at: WallTime) -> u64 {
    at.as_unix_micros() / 1_000_000
}

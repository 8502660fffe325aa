//! Whether one gateway believes the certificate of the other: an authority of its `ca` has signed it, or
//! what the other shows beside it, and none of its lists revokes it. Dates are for when they meet.

use super::{Contradiction, Side, listed};
use crate::config::Credentials;
use crate::pki::{Certificate, OwnCertificate, Trust};

/// What `one` believes of `other`.
pub(super) fn papers(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (Credentials::Certificate { trust, .. }, Credentials::Certificate { own, .. }) =
        (&one.peer.credentials, &other.peer.credentials)
    else {
        return;
    };
    let (a, b, leaf) = (one.name(), other.name(), own.leaf());
    if !is_vouched_for(trust, own) {
        let authorities: Vec<&str> = trust.authorities().map(Certificate::subject).collect();
        found.push(Contradiction {
            message: format!(
                "{a} believes {}, and the certificate of {b} is by {}",
                listed(&authorities),
                leaf.issuer()
            ),
            help: format!("add the certificate of {} to `ca` at {a}", leaf.issuer()),
        });
    }
    if is_revoked(trust, leaf) {
        found.push(Contradiction {
            message: format!("{a} has the certificate {leaf} of {b} on its revocation list"),
            help: format!("give {b} a new one, as `vpnctl ca issue` makes them"),
        });
    }
    let wanted = &one.peer.remote_identity;
    if *wanted == other.peer.local_identity && !leaf.is_for(wanted) {
        found.push(Contradiction {
            message: format!(
                "{a} expects {b} to be {wanted}, which is not in its certificate {leaf}"
            ),
            help: format!("write a name of the certificate as `identity` at {b}"),
        });
    }
}

/// Whether an authority has signed the certificate, or one of those that are shown with it.
fn is_vouched_for(trust: &Trust, own: &OwnCertificate) -> bool {
    let shown = || std::iter::once(own.leaf()).chain(own.chain());
    trust.authorities().any(|authority| shown().any(|one| one.issuer() == authority.subject()))
}

fn is_revoked(trust: &Trust, leaf: &Certificate) -> bool {
    let lists = trust.crls().iter().filter(|list| list.issuer() == leaf.issuer());
    let revoked = lists.filter_map(|list| list.revoked().ok());
    revoked.flatten().any(|(serial, _)| serial == leaf.serial())
}

//! `vpnctl ca renew --due`: what a timer runs, so that certificates and the revocation list of an
//! authority never run out while it is there.

use super::folder::{Folder, Revoked};
use super::{first_name, renewed, words, written_names};
use crate::cli::look::{self, Look};
use crate::cli::objects::{Left, NewCertificate, Renewals};
use crate::pki::{Certificate, Date};
use crate::time::WallTime;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is to become of the certificate that a gateway has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// More than a third of its life is left.
    Fresh,
    /// It is renewed.
    Renewed,
    /// It has expired. Nobody has missed it: perhaps its gateway is none any more.
    Expired,
    /// A new one would end with its authority, as this one does.
    EndsWithAuthority,
}

/// When a third of a life is left there is time for several tries before it ends.
pub(super) fn is_due(from: WallTime, until: WallTime, now: WallTime) -> bool {
    until.since(now) <= until.since(from) / 3
}

/// What becomes of a certificate whose successor would end at `next`.
pub(super) fn fate(certificate: &Certificate, next: WallTime, now: WallTime) -> Fate {
    let (from, until) = (certificate.not_before(), certificate.not_after());
    match is_due(from, until, now) {
        _ if until < now => Fate::Expired,
        false => Fate::Fresh,
        true if next <= until => Fate::EndsWithAuthority,
        true => Fate::Renewed,
    }
}

/// The certificate that was issued last for each name, but for keys of which one was revoked.
pub(super) fn standing(
    issued: &[Certificate],
    revoked: &[Revoked],
) -> BTreeMap<String, Certificate> {
    let is_revoked = |one: &Certificate| revoked.iter().any(|gone| gone.serial == one.serial());
    let keys_gone: BTreeSet<&[u8]> =
        issued.iter().filter(|one| is_revoked(one)).map(Certificate::public_key).collect();
    let mut last: BTreeMap<String, Certificate> = BTreeMap::new();
    for one in issued {
        let Some(name) = first_name(one) else { continue };
        let age = |one: &Certificate| (one.not_before(), one.not_after());
        if last.get(&name).is_none_or(|other| age(other) < age(one)) {
            last.insert(name, one.clone());
        }
    }
    last.retain(|_, one| !keys_gone.contains(one.public_key()));
    last
}

/// Renews what is due, for so many days or until the authority itself expires.
pub(super) fn renew_due(folder: &Folder, days: u16, now: WallTime, look: Look) -> Result<()> {
    let end = (now + u32::from(days) * super::DAY).min(folder.authority().not_after());
    let revoked = folder.revoked()?;
    let (mut new, mut left) = (Vec::new(), Vec::new());
    for (name, old) in standing(&folder.issued()?, &revoked) {
        let fate = fate(&old, end, now);
        match fate {
            Fate::Renewed => new.push((name, renewed(folder, &old, end, now)?)),
            Fate::Fresh => folder.keep_shown(&name, &old)?,
            Fate::Expired | Fate::EndsWithAuthority => left.push((name, old, fate)),
        }
    }
    let list = match folder.list_life()? {
        Some((from, until)) if is_due(from, until, now) => {
            folder.write_list(&revoked, whole_days(until.since(from)), now)?;
            Some(folder.path("ca.crl").display().to_string())
        }
        Some(_) | None => None,
    };
    if look.json {
        let certificates = new
            .iter()
            .map(|(name, one)| NewCertificate::in_file(&folder.current(name), one))
            .collect();
        let left = left.iter().map(|(name, one, _)| Left {
            name: name.clone(),
            expires: Date(one.not_after()).to_string(),
        });
        return look::print_json(&Renewals {
            renewed: certificates,
            crl: list,
            left: left.collect(),
        });
    }
    let mut lines: Vec<String> = new
        .iter()
        .map(|(name, one)| {
            let (file, until) = (folder.current(name), Date(one.not_after()));
            let names = words(&written_names(one));
            format!("{} is for {names} until {until}, with the same key", file.display())
        })
        .collect();
    lines.extend(list.map(|list| format!("{list} is signed anew")));
    lines.extend(left.iter().map(|(name, one, fate)| sentence(folder, name, one, *fate)));
    if lines.is_empty() {
        lines.push("nothing is due".to_owned());
    }
    look::print(&lines.join("\n"))
}

fn sentence(folder: &Folder, name: &str, one: &Certificate, fate: Fate) -> String {
    let until = Date(one.not_after());
    match fate {
        Fate::Expired => format!(
            "{name} has let its certificate expire on {until} and gets no other by itself; if it is \
             still a gateway: vpnctl ca renew {} {}",
            folder.path("").display(),
            folder.copy_of(one).display()
        ),
        Fate::EndsWithAuthority | Fate::Fresh | Fate::Renewed => format!(
            "the certificate of {name} ends on {until} with its authority, which needs a successor: \
             vpnctl ca init"
        ),
    }
}

fn whole_days(life: Duration) -> u16 {
    u16::try_from(life.as_secs().div_ceil(super::DAY.as_secs())).unwrap_or(u16::MAX).max(1)
}

#[cfg(test)]
mod tests;

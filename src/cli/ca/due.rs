//! `vpnctl ca renew --due`: what a timer runs, so that certificates and the revocation list of an
//! authority never run out while it is there.

use super::folder::{Folder, Revoked};
use super::{first_name, renewed, words, written_names};
use crate::cli::exit::Ending;
use crate::cli::look::{self, Look};
use crate::cli::objects::{Left, NewCertificate, Renewals, Unrenewed};
use crate::pki::{Certificate, Date};
use crate::time::WallTime;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For how long it is said that a certificate has expired: perhaps its gateway is none any more.
const MISSED: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is to become of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// More than a third of its life is left.
    Fresh,
    /// It is renewed.
    Renewed,
    /// It is not renewed, and somebody should know.
    Left(Unrenewed),
    /// It has expired long ago, and nobody has missed it.
    Over,
}

/// When a third of a life is left there is time for several tries before it ends.
pub(super) fn is_due(from: WallTime, until: WallTime, now: WallTime) -> bool {
    until.since(now) <= until.since(from) / 3
}

/// What becomes of a certificate of an authority that ends at `end`.
pub(super) fn fate(certificate: &Certificate, end: WallTime, now: WallTime) -> Fate {
    let (from, until) = (certificate.not_before(), certificate.not_after());
    match is_due(from, until, now) {
        _ if until + MISSED < now => Fate::Over,
        _ if until < now => Fate::Left(Unrenewed::Expired),
        false => Fate::Fresh,
        true if end <= until => Fate::Left(Unrenewed::EndsWithAuthority),
        true => Fate::Renewed,
    }
}

/// The certificate that was issued last for each key of a name, and what becomes of it. Of several keys
/// the last one is its gateway's, unless a certificate for it was revoked.
pub(super) fn standing(
    issued: &[Certificate],
    revoked: &[Revoked],
    end: WallTime,
    now: WallTime,
) -> Vec<(String, Certificate, Fate)> {
    let revoked: BTreeSet<&str> = revoked.iter().map(|gone| gone.serial.as_str()).collect();
    let is_revoked = |one: &Certificate| revoked.contains(one.serial());
    let keys_gone: BTreeSet<&[u8]> =
        issued.iter().filter(|one| is_revoked(one)).map(Certificate::public_key).collect();
    let age = |one: &Certificate| (one.not_before(), one.not_after());
    let mut last: BTreeMap<(String, &[u8]), &Certificate> = BTreeMap::new();
    for one in issued {
        let Some(name) = first_name(one) else { continue };
        let other = last.entry((name, one.public_key())).or_insert(one);
        if age(other) < age(one) {
            *other = one;
        }
    }
    let mut last: Vec<(String, &Certificate)> =
        last.into_iter().map(|((name, _), one)| (name, one)).collect();
    last.sort_by(|(name, one), (other, two)| (name, age(two)).cmp(&(other, age(one))));
    let mut served: BTreeSet<String> = BTreeSet::new();
    let mut standing = Vec::new();
    for (name, one) in last.into_iter().filter(|(_, one)| !is_revoked(one)) {
        let is_gone = keys_gone.contains(one.public_key());
        let fate = match fate(one, end, now) {
            Fate::Fresh | Fate::Renewed | Fate::Left(Unrenewed::EndsWithAuthority) if is_gone => {
                Fate::Left(Unrenewed::KeyRevoked)
            }
            _ if is_gone => continue,
            fate if served.insert(name.clone()) => fate,
            Fate::Fresh | Fate::Renewed | Fate::Left(Unrenewed::EndsWithAuthority) => {
                Fate::Left(Unrenewed::Superseded)
            }
            Fate::Left(_) | Fate::Over => continue,
        };
        standing.push((name, one.clone(), fate));
    }
    standing
}

/// What was done, and what was not.
#[derive(Default)]
struct Round {
    renewed: Vec<(String, Certificate)>,
    list: Option<String>,
    left: Vec<(String, Certificate, Unrenewed)>,
    failed: Vec<String>,
}

/// Renews what is due: for so many days, or as many as before where that is more, but not beyond the end
/// of the authority. What fails holds up nothing else; the revocation list, without which all
/// certificates are refused, comes first.
///
/// # Errors
///
/// When nobody can tell what is revoked, or nothing can be printed.
pub(super) fn renew_due(folder: &Folder, days: u16, now: WallTime, look: Look) -> Result<Ending> {
    let revoked = folder.revoked()?;
    let mut round = Round::default();
    match sign_list(folder, &revoked, now) {
        Ok(list) => round.list = list,
        Err(error) => round.failed.push(format!("{error:#}")),
    }
    let issued = round.issued(folder);
    let end = folder.authority().not_after();
    for (name, old, fate) in standing(&issued, &revoked, end, now) {
        let done = match fate {
            Fate::Renewed => {
                let until = (now + u32::from(days.max(days_of(&old))) * super::DAY).min(end);
                renewed(folder, &old, until, now).map(|new| round.renewed.push((name.clone(), new)))
            }
            Fate::Fresh => folder.keep_shown(&name, &old),
            Fate::Left(why) => {
                round.left.push((name.clone(), old, why));
                Ok(())
            }
            Fate::Over => Ok(()),
        };
        if let Err(error) = done {
            round.failed.push(format!("{name}: {error:#}"));
        }
    }
    round.print(folder, look)?;
    Ok(round.ending())
}

/// Signs the revocation list anew when it is due; says which file it is in.
fn sign_list(folder: &Folder, revoked: &[Revoked], now: WallTime) -> Result<Option<String>> {
    let Some((from, until)) = folder.list_life()? else { return Ok(None) };
    if !is_due(from, until, now) {
        return Ok(None);
    }
    folder.write_list(revoked, whole_days(until.since(from)), now)?;
    Ok(Some(folder.path("ca.crl").display().to_string()))
}

impl Round {
    /// What was issued, but for what cannot be read.
    fn issued(&mut self, folder: &Folder) -> Vec<Certificate> {
        let copies = folder.copies().unwrap_or_else(|error| vec![Err(error)]);
        let readable = copies
            .into_iter()
            .filter_map(|copy| copy.map_err(|error| self.failed.push(format!("{error:#}"))).ok());
        readable.collect()
    }

    /// The end of an authority is for somebody to see to, unlike what was replaced or has expired.
    fn ending(&self) -> Ending {
        let ends =
            |(_, _, why): &(String, Certificate, Unrenewed)| *why == Unrenewed::EndsWithAuthority;
        match self.failed.is_empty() {
            false => Ending::Refused,
            true if self.left.iter().any(ends) => Ending::Down,
            true => Ending::Well,
        }
    }

    fn print(&self, folder: &Folder, look: Look) -> Result<()> {
        if look.json {
            return look::print_json(&self.view(folder));
        }
        let new = |(name, one): &(String, Certificate)| {
            let (file, until) = (folder.current(name), Date(one.not_after()));
            let names = words(&written_names(one));
            format!("{} is for {names} until {until}, with the same key", file.display())
        };
        let mut lines: Vec<String> = self.renewed.iter().map(new).collect();
        lines.extend(self.list.iter().map(|list| format!("{list} is signed anew")));
        lines.extend(self.left.iter().map(|(name, one, why)| sentence(folder, name, one, *why)));
        lines.extend(self.failed.iter().map(|error| format!("failed: {error}")));
        if lines.is_empty() {
            lines.push("nothing is due".to_owned());
        }
        look::print(&lines.join("\n"))
    }

    fn view(&self, folder: &Folder) -> Renewals {
        let new = |(name, one): &(String, Certificate)| {
            NewCertificate::in_file(&folder.current(name), one)
        };
        let left = |(name, one, why): &(String, Certificate, Unrenewed)| Left {
            name: name.clone(),
            expires: Date(one.not_after()).to_string(),
            why: *why,
        };
        Renewals {
            renewed: self.renewed.iter().map(new).collect(),
            crl: self.list.clone(),
            left: self.left.iter().map(left).collect(),
            failed: self.failed.clone(),
        }
    }
}

fn sentence(folder: &Folder, name: &str, one: &Certificate, why: Unrenewed) -> String {
    let (until, copy) = (Date(one.not_after()), folder.copy_of(one));
    let copy = copy.display();
    match why {
        Unrenewed::Expired => format!(
            "{name} has let its certificate expire on {until} and gets no other by itself; if it is \
             still a gateway: vpnctl ca renew {} {copy}",
            folder.path("").display(),
        ),
        Unrenewed::EndsWithAuthority => format!(
            "the certificate of {name} ends on {until} with its authority, which needs a successor: \
             vpnctl ca init"
        ),
        Unrenewed::Superseded => format!(
            "{copy} is not renewed and ends on {until}: {name} has a certificate for a newer key since"
        ),
        Unrenewed::KeyRevoked => format!(
            "{copy} is not renewed and ends on {until}: {name} has had another certificate for the same \
             key, which is revoked; issue it one with a new key"
        ),
    }
}

/// For how many days a certificate was issued.
fn days_of(one: &Certificate) -> u16 {
    let life = one.not_after().since(one.not_before());
    u16::try_from(life.as_secs() / super::DAY.as_secs()).unwrap_or(u16::MAX)
}

fn whole_days(life: Duration) -> u16 {
    u16::try_from(life.as_secs().div_ceil(super::DAY.as_secs())).unwrap_or(u16::MAX).max(1)
}

#[cfg(test)]
mod tests;

//! Certificates and revocation lists of this gateway's configuration run out: said in time. What peers
//! show is for themselves to watch; views have the dates.

use super::{Gateway, Why};
use crate::config::{Config, Credentials};
use crate::control::Code;
use crate::moment::Moment;
use crate::pki::{Certificate, Date};
use crate::time::WallTime;
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::warn;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How often the calendar is looked at.
const LOOK: Duration = Duration::from_secs(3600);
/// Before the end, said once each, where somebody is late. What renews itself does so when a third of a
/// life is left, so only the last quarter counts; of what lives for less than four days all of it does
/// that the last day would.
const WARNINGS: [Duration; 4] =
    [Duration::from_secs(30 * 24 * 3600), Duration::from_secs(7 * 24 * 3600), DAY, Duration::ZERO];

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Own,
    Authority,
    List,
}

/// Something with a last day.
#[derive(Debug)]
struct Paper {
    name: String,
    from: WallTime,
    until: WallTime,
    /// How many warnings are due, and were given.
    told: usize,
}

/// All that this gateway's configuration has of the kind, each once.
#[derive(Debug, Default)]
pub(super) struct Papers(BTreeMap<(Kind, String), Paper>);

impl Papers {
    /// What a configuration has; what was told about it before stays told.
    fn of(config: &Config, before: &Papers) -> Papers {
        let mut papers = Papers::default();
        for peer in config.peers.values() {
            let Credentials::Certificate { own, trust } = &peer.credentials else { continue };
            papers.add_certificate(Kind::Own, own.leaf());
            for authority in trust.authorities() {
                papers.add_certificate(Kind::Authority, authority);
            }
            for list in trust.crls() {
                let Some(until) = list.next_update() else { continue };
                let key = (Kind::List, format!("{} {}", list.issuer(), Date(until)));
                papers.add(key, list.issuer(), (list.this_update(), until));
            }
        }
        for (key, paper) in &mut papers.0 {
            paper.told = before.0.get(key).map_or(0, |known| known.told);
        }
        papers
    }

    fn add_certificate(&mut self, kind: Kind, certificate: &Certificate) {
        let key = (kind, format!("{} {}", certificate.issuer(), certificate.serial()));
        let name = certificate.to_string();
        self.add(key, &name, (certificate.not_before(), certificate.not_after()));
    }

    fn add(&mut self, key: (Kind, String), name: &str, (from, until): (WallTime, WallTime)) {
        let new = || Paper { name: name.to_owned(), from, until, told: 0 };
        self.0.entry(key).or_insert_with(new);
    }
}

impl Paper {
    /// How many warnings are due.
    fn due(&self, kind: Kind, now: WallTime) -> usize {
        let (quarter, left) = (self.until.since(self.from) / 4, self.until.since(now));
        let over = |before: Duration| match before.is_zero() {
            true => self.until < now,
            // A list is replaced shortly before its end: only then is it late.
            false => kind != Kind::List && left <= before,
        };
        let says = |before: &Duration| *before <= DAY || *before <= quarter;
        let warnings = WARNINGS.into_iter().filter(says);
        warnings.filter(|before| over(quarter.min(*before))).count()
    }

    fn words(&self, kind: Kind, now: WallTime) -> String {
        let (name, until) = (&self.name, Date(self.until));
        let is_over = self.until < now;
        match (kind, is_over) {
            (Kind::Own, false) => format!(
                "the certificate {name} of this gateway expires on {until}, and no newer one has come: \
                 renew it (`vpnctl ca renew`), and put it into the file of `certificate`"
            ),
            (Kind::Own, true) => format!(
                "the certificate {name} of this gateway expired on {until}: peers refuse it"
            ),
            (Kind::Authority, false) => format!(
                "the authority {name} expires on {until}: put its successor beside it into `ca`, \
                 here and at the peers"
            ),
            (Kind::Authority, true) => {
                format!("the authority {name} expired on {until}: its certificates are refused")
            }
            (Kind::List, _) => format!(
                "the revocation list of {name} should have been replaced by {until}; a week later \
                 its certificates are refused"
            ),
        }
    }
}

impl Gateway {
    /// Looks at the calendar, and again in an hour.
    pub(super) fn look_at_papers(&mut self, at: &Moment<'_>) {
        let mut said = Vec::new();
        for ((kind, _), paper) in &mut self.papers.0 {
            let due = paper.due(*kind, at.wall);
            if due > paper.told {
                said.push(paper.words(*kind, at.wall));
            }
            paper.told = due;
        }
        for words in said {
            warn!(code = Code::CertificateExpires.name(), "{words}");
            self.take_note(Code::CertificateExpires, words, at.now);
        }
        let again = (!self.papers.0.is_empty()).then(|| at.now + LOOK);
        self.timers.arm(Why::Papers, again);
    }

    /// The configuration is another.
    pub(super) fn renew_papers(&mut self, at: &Moment<'_>) {
        self.papers = Papers::of(&self.config, &self.papers);
        self.look_at_papers(at);
    }
}

#[cfg(test)]
mod tests;

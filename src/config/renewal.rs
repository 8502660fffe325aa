//! Certificates are renewed while a gateway runs: the files that they come from, and what these hold
//! now in place of what they held. Nothing else of a configuration changes with them.

use super::certificates::{authorities, own_in, revoked, trust_in};
use super::diagnostics::Fault;
use super::keys::{self, KeyFiles};
use super::{Config, Credentials, PeerConfig};
use crate::pki::{Crl, Date, OwnCertificate, Trust};
use crate::time::WallTime;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Files that are of use together only, as the configuration names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaperFiles {
    /// `certificate`, which must be for `private_key`.
    Own {
        /// Our certificate, then those of its issuers.
        certificate: String,
        /// The key that it is for.
        private_key: String,
    },
    /// `ca` and `crl`.
    Trust {
        /// The authorities.
        authorities: Vec<String>,
        /// What they have revoked.
        lists: Vec<String>,
    },
}

/// What such files hold, whole and fit for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paper {
    /// What we show.
    Own(Arc<OwnCertificate>),
    /// Whom we believe.
    Trust(Arc<Trust>),
}

impl PaperFiles {
    /// The files, as the configuration names them.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            PaperFiles::Own { certificate, private_key } => vec![certificate, private_key],
            PaperFiles::Trust { authorities, lists } => {
                authorities.iter().chain(lists).map(String::as_str).collect()
            }
        }
    }

    /// What they hold now.
    ///
    /// # Errors
    ///
    /// Which of them is of no use, why, and what to do: a sentence.
    pub fn read(&self, files: &dyn KeyFiles) -> Result<Paper, String> {
        let read = match self {
            PaperFiles::Own { certificate, private_key } => keys::private_key(files, private_key)
                .and_then(|key| own_in(files, certificate, &key))
                .map(|own| Paper::Own(Arc::new(own))),
            PaperFiles::Trust { authorities, lists } => {
                trust(authorities, lists, files).map(Paper::Trust)
            }
        };
        read.map_err(|fault| fault.to_string())
    }
}

fn trust(
    authority_files: &[String],
    list_files: &[String],
    files: &dyn KeyFiles,
) -> Result<Arc<Trust>, Fault> {
    let mut anchors = Vec::new();
    for path in authority_files {
        anchors.extend(authorities(files, path)?);
    }
    let mut lists = Vec::new();
    for path in list_files {
        lists.extend(revoked(files, path)?);
    }
    trust_in(anchors, lists)
}

impl Config {
    /// The files of all certificates that tunnels are authenticated by, each once.
    pub fn paper_files(&self) -> BTreeSet<Arc<PaperFiles>> {
        self.peers.values().flat_map(|peer| &peer.papers).cloned().collect()
    }

    /// The same configuration with what `files` hold now; `None` when that is what it has. What peers share
    /// is looked at once, and is shared by them afterwards.
    ///
    /// # Errors
    ///
    /// Why what runs is better: the certificate is for none of the names by which a peer knows us, or not
    /// valid while the one before is, or a revocation list is older. A sentence.
    pub fn renewed(
        &self,
        files: &PaperFiles,
        paper: &Paper,
        wall: WallTime,
    ) -> Result<Option<Config>, String> {
        let mut renewal = Renewal { wall, own: Vec::new(), trust: Vec::new() };
        let mut changed = Vec::new();
        for (id, peer) in &self.peers {
            if !peer.papers.iter().any(|one| **one == *files) {
                continue;
            }
            if let Some(credentials) = renewal.of(peer, paper)? {
                changed.push((*id, credentials));
            }
        }
        if changed.is_empty() {
            return Ok(None);
        }
        let mut config = self.clone();
        for (id, credentials) in changed {
            if let Some(peer) = config.peers.get_mut(&id) {
                peer.credentials = credentials;
            }
        }
        Ok(Some(config))
    }
}

/// What has taken the place of what so far: of each, whatever number of peers has it.
struct Renewal {
    wall: WallTime,
    own: Vec<[Arc<OwnCertificate>; 2]>,
    trust: Vec<[Arc<Trust>; 2]>,
}

impl Renewal {
    /// The credentials of a peer with another paper; `None` when it is the same.
    fn of(&mut self, peer: &PeerConfig, paper: &Paper) -> Result<Option<Credentials>, String> {
        let Credentials::Certificate { own, trust } = &peer.credentials else { return Ok(None) };
        let (new_own, new_trust) = match paper {
            Paper::Own(new) if !new.leaf().is_for(&peer.local_identity) => {
                return Err(format!(
                    "the certificate {} is not for {}, which this gateway is to {}: issue one for that \
                     name, or set `identity`",
                    new.leaf(),
                    peer.local_identity,
                    peer.name
                ));
            }
            Paper::Own(new) => (self.own(own, new)?, Arc::clone(trust)),
            Paper::Trust(new) => (Arc::clone(own), self.trust(trust, new)?),
        };
        let is_same = Arc::ptr_eq(&new_own, own) && Arc::ptr_eq(&new_trust, trust);
        Ok((!is_same).then_some(Credentials::Certificate { own: new_own, trust: new_trust }))
    }

    fn own(
        &mut self,
        old: &Arc<OwnCertificate>,
        new: &Arc<OwnCertificate>,
    ) -> Result<Arc<OwnCertificate>, String> {
        if let Some([_, known]) = self.own.iter().find(|[one, _]| Arc::ptr_eq(one, old)) {
            return Ok(Arc::clone(known));
        }
        let is_valid = |own: &OwnCertificate| {
            (own.leaf().not_before()..=own.leaf().not_after()).contains(&self.wall)
        };
        if is_valid(old) && !is_valid(new) {
            let leaf = new.leaf();
            return Err(format!(
                "the certificate {leaf} is valid from {} to {}, which is not now: put a newer one there, or \
                 set the clock of whoever signs it",
                Date(leaf.not_before()),
                Date(leaf.not_after())
            ));
        }
        let padded = match new.padding() == old.padding() {
            true => Arc::clone(new),
            false => Arc::new(new.with_padding(old.padding())),
        };
        let known = if padded == *old { Arc::clone(old) } else { padded };
        self.own.push([Arc::clone(old), Arc::clone(&known)]);
        Ok(known)
    }

    fn trust(&mut self, old: &Arc<Trust>, new: &Arc<Trust>) -> Result<Arc<Trust>, String> {
        if let Some([_, known]) = self.trust.iter().find(|[one, _]| Arc::ptr_eq(one, old)) {
            return Ok(Arc::clone(known));
        }
        for list in new.crls() {
            let same = old.crls().iter().filter(|before| before.issuer() == list.issuer());
            let newest = same.map(Crl::this_update).max();
            if let Some(newest) = newest.filter(|newest| *newest > list.this_update()) {
                return Err(format!(
                    "the revocation list of {} is of {}, older than the one of {} that is in use: put the \
                     last one there; `vpnctl reload` takes this one all the same",
                    list.issuer(),
                    Date(list.this_update()),
                    Date(newest)
                ));
            }
        }
        let known = Arc::clone(if new == old { old } else { new });
        self.trust.push([Arc::clone(old), Arc::clone(&known)]);
        Ok(known)
    }
}

//! Certificates are renewed while a gateway runs: the files that they come from, and what these hold
//! now in place of what they held. Nothing else of a configuration changes with them.

use super::certificates::{authorities, own_in, revoked, trust_in};
use super::diagnostics::Fault;
use super::keys::{self, KeyFiles};
use super::{Config, Credentials, PeerConfig};
use crate::pki::{OwnCertificate, Trust};
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

    /// The same configuration with what `files` hold now; `None` when that is what it has.
    ///
    /// # Errors
    ///
    /// When the certificate is for none of the names by which a peer knows us: a sentence.
    pub fn renewed(&self, files: &PaperFiles, paper: &Paper) -> Result<Option<Config>, String> {
        let concerned = |peer: &&PeerConfig| peer.papers.iter().any(|one| **one == *files);
        let mut is_new = false;
        for peer in self.peers.values().filter(concerned) {
            is_new |= peer.renewed(paper)? != peer.credentials;
        }
        if !is_new {
            return Ok(None);
        }
        let mut config = self.clone();
        for peer in config.peers.values_mut().filter(|peer| concerned(&&**peer)) {
            peer.credentials = peer.renewed(paper)?;
        }
        Ok(Some(config))
    }
}

impl PeerConfig {
    /// Its credentials with another paper.
    fn renewed(&self, paper: &Paper) -> Result<Credentials, String> {
        let Credentials::Certificate { own, trust } = &self.credentials else {
            return Ok(self.credentials.clone());
        };
        match paper {
            Paper::Own(new) if !new.leaf().is_for(&self.local_identity) => Err(format!(
                "the certificate {} is not for {}, which this gateway is to {}",
                new.leaf(),
                self.local_identity,
                self.name
            )),
            Paper::Own(new) => {
                let own = Arc::new(new.with_padding(own.padding()));
                Ok(Credentials::Certificate { own, trust: Arc::clone(trust) })
            }
            Paper::Trust(new) => {
                Ok(Credentials::Certificate { own: Arc::clone(own), trust: Arc::clone(new) })
            }
        }
    }
}

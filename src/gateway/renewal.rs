//! Certificates are renewed while tunnels stand: other files than before, in place of those that run.

use super::Gateway;
use super::diagnosis::Fact;
use crate::config::{Paper, PaperFiles};
use crate::control::Code;
use crate::moment::Moment;
use tracing::info;

impl Gateway {
    /// Takes over what files of its configuration hold now, or says why it does not. Tunnels stand: a
    /// new certificate of ours is shown when the IKE SA is replaced, and a peer's is looked at again.
    pub fn handle_paper(
        &mut self,
        files: &PaperFiles,
        found: Result<Paper, String>,
        at: &mut Moment<'_>,
    ) {
        let renewed = found.and_then(|paper| self.config.renewed(files, &paper, at.wall));
        let taken = renewed.and_then(|config| match config {
            Some(config) => self.go_over(config, at).map(Some).map_err(|error| error.to_string()),
            None => Ok(None),
        });
        match taken {
            Ok(None) if self.kept_papers.remove(files).is_none() => return,
            Ok(None) => {
                let words = format!("{} hold again what runs", files.paths().join(", "));
                info!(code = Code::CertificateTaken.name(), "{words}");
                self.take_note(Code::CertificateTaken, words, at.now);
            }
            Ok(Some(taken)) => {
                self.kept_papers.remove(files);
                let words = format!("{} changed; {taken}", files.paths().join(", "));
                info!(code = Code::CertificateTaken.name(), "{words}");
                self.take_note(Code::CertificateTaken, words, at.now);
            }
            // Files are touched for many reasons; what is wrong with them is said once.
            Err(why) if self.kept_papers.get(files) == Some(&why) => return,
            Err(why) => {
                self.kept_papers.insert(files.clone(), why.clone());
                let paths = files.paths();
                let why = match paths.iter().any(|path| why.contains(path)) {
                    true => why,
                    false => format!("{}: {why}", paths.join(", ")),
                };
                let kept = match files {
                    PaperFiles::Own { .. } => "the certificate and key before go on",
                    PaperFiles::Trust { .. } => "the authorities and lists before go on",
                };
                self.warn_of(Fact::new(Code::CertificateKept, format!("{why}; {kept}")), at.now);
            }
        }
        self.settle(at.now);
    }
}

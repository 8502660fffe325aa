//! Watches the files that certificates, their keys, authorities and revocation lists come from, and
//! reads those that have changed: on a thread of its own, so that a file system that does not answer
//! holds up nothing.
//!
//! Files are looked at by name again and again: that sees what is renamed over them, links that lead
//! elsewhere than before, and file systems of which the kernel hears nothing.

mod look;

use crate::config::{Config, Paper, PaperFiles};
use crate::config_file::{self, KeysOnDisk};
use crate::os::memory::scrub_stack;
use anyhow::{Context, Result};
use look::Look;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self as queue, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(2);
/// Files that were read and not yet taken.
const CAPACITY: usize = 16;

/// What files hold that have changed, or why that is of no use.
#[derive(Debug)]
pub(super) struct FoundPaper {
    /// Which of the configurations it was read for.
    generation: u64,
    pub(super) files: Arc<PaperFiles>,
    pub(super) found: Result<Paper, String>,
}

/// The files of a configuration, which counts from one.
#[derive(Debug)]
struct Wish {
    generation: u64,
    files: Vec<Arc<PaperFiles>>,
}

/// The thread that watches.
#[derive(Debug)]
pub(super) struct PaperWatch {
    wanted: queue::Sender<Wish>,
    generation: u64,
}

impl PaperWatch {
    /// Starts the thread, which looks at nothing yet, for the configuration at `path`; what has changed
    /// comes out of the receiver.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give.
    pub(super) fn start(path: &Path) -> Result<(PaperWatch, mpsc::Receiver<FoundPaper>)> {
        let (wanted, wishes) = queue::channel();
        let (found, finds) = mpsc::channel(CAPACITY);
        let path = PathBuf::from(path);
        thread::Builder::new()
            .name("vpngw-papers".to_owned())
            .spawn(move || watch(&path, &wishes, &found))
            .context("no thread to watch certificates")?;
        Ok((PaperWatch { wanted, generation: 0 }, finds))
    }

    /// Watches the files of this configuration alone. Each is read once in any case: it may have changed
    /// since the configuration was read.
    pub(super) fn watch(&mut self, config: &Config) {
        self.generation += 1;
        let files = config.paper_files().into_iter().collect();
        // The thread ends with us.
        let _ = self.wanted.send(Wish { generation: self.generation, files });
    }

    /// Whether it was read for the configuration that is watched: what was read for one before may be older
    /// than what this one was loaded with.
    pub(super) fn wants(&self, found: &FoundPaper) -> bool {
        found.generation == self.generation
    }
}

fn watch(path: &Path, wishes: &queue::Receiver<Wish>, found: &mpsc::Sender<FoundPaper>) {
    let mut generation = 0;
    let mut looks: BTreeMap<Arc<PaperFiles>, Look> = BTreeMap::new();
    // Whose the files have to be is asked once for each configuration: that may go over the network.
    let mut on_disk = config_file::key_files(path);
    loop {
        let wish = match looks.is_empty() {
            true => wishes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => wishes.recv_timeout(PERIOD),
        };
        match wish {
            Ok(wish) => {
                generation = wish.generation;
                looks = wish.files.into_iter().map(|one| (one, Look::default())).collect();
                on_disk = config_file::key_files(path);
            }
            Err(RecvTimeoutError::Timeout) => {
                for (files, look) in &mut looks {
                    let Some(read) = read_changed(files, look, &on_disk) else { continue };
                    scrub_stack();
                    let paper = FoundPaper { generation, files: Arc::clone(files), found: read };
                    if found.blocking_send(paper).is_err() {
                        return;
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What files hold that have changed and do not change any more.
fn read_changed(
    files: &PaperFiles,
    look: &mut Look,
    on_disk: &KeysOnDisk,
) -> Option<Result<Paper, String>> {
    let stamps = || files.paths().into_iter().map(|path| on_disk.stamp(path)).collect();
    if !look.is_to_be_read(stamps()) {
        return None;
    }
    let read = files.read(on_disk);
    look.counts_after(stamps()).then_some(read)
}

#[cfg(test)]
mod tests;

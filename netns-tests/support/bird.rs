//! BIRD as Debian packages it, steered by birdc.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use vpngw::lab::daemon;
use vpngw::os::process::Process;

use super::charon::text;
use super::eventually;
use super::pair::{Pair, Side};

/// A running BIRD.
pub(crate) struct Bird {
    process: Process,
    socket: PathBuf,
}

impl Bird {
    /// Starts the BIRD of a side and waits until it answers.
    pub(crate) fn start(pair: &Pair, side: Side, config: &str) -> Self {
        Self::start_at(pair, side.name(), config)
    }

    /// Starts a BIRD at any node.
    pub(crate) fn start_at(pair: &Pair, node: &str, config: &str) -> Self {
        Self::start_as(pair, node, config, &[])
    }

    /// Starts it as one that has forwarded packets while it was away.
    pub(crate) fn start_again(pair: &Pair, side: Side, config: &str) -> Self {
        Self::start_as(pair, side.name(), config, &["-R"])
    }

    fn start_as(pair: &Pair, node: &str, config: &str, arguments: &[&str]) -> Self {
        let file = pair.write("bird.conf", config);
        let socket = pair.path("bird.ctl");
        let mut command = Command::new("bird");
        command.arg("-f").arg("-c").arg(file).arg("-s").arg(&socket);
        command.arg("-P").arg(pair.path("bird.pid")).args(arguments);
        let output = pair.path("bird.log");
        let process = daemon::start_in(&mut command, &pair.namespace(node), &output).unwrap();
        let bird = Bird { process, socket };
        assert!(eventually(|| bird.ask("show status").contains("up and running")));
        bird
    }

    /// What birdc answers.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut command = Command::new("birdc");
        command.arg("-s").arg(&self.socket).args(request.split(' '));
        text(&command.output().expect("bird is not installed: run ./test"))
    }

    /// Freezes it, or lets it go on.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal).unwrap();
    }

    /// Waits until an answer contains some words.
    pub(crate) fn comes_to_answer(&self, request: &str, words: &str) -> bool {
        eventually(|| self.ask(request).contains(words))
    }
}

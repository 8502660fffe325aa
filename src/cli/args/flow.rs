//! Which of the flows between two hosts is meant.

use crate::control::Ports;
use clap::ValueEnum;

/// Protocols whose flows have ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// Protocol and ports: all of them, with the sender's address, or none.
#[derive(Clone, Debug, clap::Args)]
pub(in super::super) struct Flow {
    /// Its protocol; with both ports it says by which tunnel it leaves where several share
    #[arg(long, requires_all = ["from", "source_port", "destination_port"])]
    protocol: Option<Protocol>,
    /// Port that it comes from
    #[arg(long, value_name = "PORT", requires = "protocol")]
    source_port: Option<u16>,
    /// Port that it goes to
    #[arg(long, value_name = "PORT", requires = "protocol")]
    destination_port: Option<u16>,
}

impl Flow {
    /// What the gateway is asked about.
    pub(in super::super) fn ports(&self) -> Option<Ports> {
        let protocol = match self.protocol? {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        };
        Some(Ports { protocol, source: self.source_port?, destination: self.destination_port? })
    }
}

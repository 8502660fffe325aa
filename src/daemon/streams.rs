//! IKE in TCP connections (RFC 9329): one is made when the first message is to leave in it.

use super::event_loop::Daemon;
use super::listening::Sockets;
use crate::gateway::{Datagram, StreamOutput};
use std::io;

impl Daemon {
    /// Sends an IKE message in the connection of its way, which is made where that is for us to do.
    /// It waits there until the connection stands; if that does not come to be, IKE repeats what matters,
    /// and the next try is made then.
    pub(super) fn send_streamed(&mut self, datagram: &Datagram) -> io::Result<()> {
        let way = (datagram.local.ip(), datagram.remote);
        let is_new = !self.dataplane.streams().has(way);
        if is_new && self.gateway.may_open_stream(way) {
            let is_used = self.gateway.uses_stream(way);
            self.dataplane.streams().open(way, is_used);
        }
        match self.dataplane.send_control(datagram.local, datagram.remote, &datagram.bytes) {
            // Only who made the connection can make another (RFC 9329 §1.2).
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            sent => sent,
        }
    }

    /// Takes TCP connections while some peer may use them.
    pub(super) fn listen_in_tcp(&mut self) {
        let Daemon { underlay, dataplane, listening, gateway, .. } = self;
        listening.take_streams(gateway.config().stream_port(), Sockets { underlay, dataplane });
    }

    pub(super) fn carry_out_stream(&mut self, output: StreamOutput) {
        match output {
            StreamOutput::Keep(way) => self.dataplane.streams().keep(way, true),
            StreamOutput::Release(way) => self.dataplane.streams().keep(way, false),
        }
    }
}

//! Single datagrams past the outboxes: what the gateway itself says inside a tunnel.

use super::counters::DataplaneCounters;
use super::streams::{Outlets, Urgency};
use crate::esp::Discard;
use crate::forward::{Egress, TunnelEntry};
use crate::net::is_streamed;
use crate::os::udp::{SendBatch, Train, UdpSocket};

/// Sends each datagram at once.
pub(super) struct Direct<'d> {
    pub sockets: &'d [UdpSocket],
    pub outlets: Outlets,
    pub counters: &'d DataplaneCounters,
}

impl Egress for Direct<'_> {
    fn datagram(
        &mut self,
        tunnel: &TunnelEntry,
        tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        if is_streamed(tunnel.local) {
            return self.outlets.seal(tunnel, (length, Urgency::Urgent), self.counters, seal);
        }
        let (mut sockets, whole) = (self.sockets.iter(), tunnel.fits_whole(length));
        let socket = sockets.find(|socket| socket.is_way_out(tunnel.local, whole));
        let socket = socket.ok_or(Discard::SendFailed)?;
        let mut datagram = vec![0; length];
        let length = seal(&mut datagram)?;
        let remote = tunnel.remote;
        let train = Train { start: 0, length, segment: length, count: 1, remote, tos };
        if SendBatch::new().send(socket, &datagram, &[train]).is_err() {
            self.counters.send_failed.add(1);
            return Err(Discard::SendFailed);
        }
        Ok(())
    }

    /// The gateway needs nobody to tell it what fits.
    fn reply(&mut self, _error: impl FnOnce() -> Option<Vec<u8>>) {}
}

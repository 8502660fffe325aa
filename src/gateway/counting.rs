//! How much of what either end sends arrives at the other. Sequence numbers show each receiver what it
//! did not get (RFC 4303 §3.4.3), so a gateway knows of one direction itself; about the other it asks
//! the peer inside ESP ([`crate::wire::echo`]), when an operator asks for it.

use super::Gateway;
use crate::control::{ArrivalsView, FailureKind, PassageView, Reply, ReportView};
use crate::net::PeerId;
use crate::wire::echo::{Arrivals, Echo, EchoKind};

/// What a peer has reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reported {
    /// The number of the inquiry.
    number: u64,
    /// What has become of our packets there.
    there: Arrivals,
    /// What had become of the peer's here when the report came.
    here: Arrivals,
}

/// Inquiries to one peer, and its reports.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// The number of the next inquiry.
    next: u64,
    reported: Option<Reported>,
}

impl Counting {
    /// The number of an inquiry that goes out now.
    fn inquire(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Takes a report; one of a number that nobody has asked for, or that came after a later one,
    /// changes nothing.
    fn on_report(&mut self, number: u64, there: Arrivals, here: Arrivals) {
        let is_newer = self.reported.is_none_or(|last| last.number < number);
        if number < self.next && is_newer {
            self.reported = Some(Reported { number, there, here });
        }
    }
}

impl Gateway {
    /// Asks a peer that is a gateway like this one what has arrived, and tells what was reported before.
    pub(super) fn count_arrivals(&mut self, peer: PeerId) -> Reply {
        let Some(tunnel) = self.tunnels.get_mut(&peer) else {
            return Reply::failed(FailureKind::NotNow, "there is no tunnel");
        };
        let is_asked = tunnel.probing.is_kin() && !tunnel.sas.is_empty();
        let inquiry = is_asked.then(|| tunnel.counting.inquire());
        let view = ArrivalsView {
            gateway: self.config.gateway.name.clone(),
            peer: tunnel.name.clone(),
            inquiry,
            report: tunnel.counting.reported.map(ReportView::from),
            here: tunnel.sas.arrivals().into(),
        };
        if let Some(number) = inquiry {
            self.send_echo(peer, Echo { kind: EchoKind::Inquiry, number });
        }
        Reply::Arrivals(view)
    }

    /// Reports to a peer what has become of its packets.
    pub(super) fn report_arrivals(&mut self, peer: PeerId, number: u64) {
        if let Some(tunnel) = self.tunnels.get(&peer) {
            let kind = EchoKind::Report(tunnel.sas.arrivals());
            self.send_echo(peer, Echo { kind, number });
        }
    }

    /// Takes the report of a peer.
    pub(super) fn on_report(&mut self, peer: PeerId, number: u64, there: Arrivals) {
        if let Some(tunnel) = self.tunnels.get_mut(&peer) {
            tunnel.counting.on_report(number, there, tunnel.sas.arrivals());
        }
    }
}

impl From<Reported> for ReportView {
    fn from(reported: Reported) -> ReportView {
        let Reported { number, there, here } = reported;
        ReportView { inquiry: number, there: there.into(), here: here.into() }
    }
}

impl From<Arrivals> for PassageView {
    fn from(arrivals: Arrivals) -> PassageView {
        PassageView { arrived: arrivals.arrived, lost: arrivals.lost }
    }
}

#[cfg(test)]
mod tests;

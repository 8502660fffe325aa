//! Views of many things, page by page: a gateway makes one page between two inputs, so that no
//! input waits for the whole, and whoever asked puts the pages together.

use super::{Reply, RoutesView};
use crate::net::{PeerId, Prefix, VpcId};

/// How far a view has come; the next page begins behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The peers up to the one of this name.
    Peer(String),
    /// The events up to the one of this number.
    Event(u64),
    /// The VPCs up to this one.
    Vpc(VpcId),
    /// All VPCs before this one, and of this one the routes up to this prefix.
    Route {
        /// The VPC.
        vpc: VpcId,
        /// The last prefix; `None` when none was told yet.
        prefix: Option<Prefix>,
    },
    /// All VPCs before this one, its routes, and its rejected announcements up to this one.
    Rejected {
        /// The VPC.
        vpc: VpcId,
        /// Who announced the last one, and to where; `None` when none was told yet.
        announced: Option<(PeerId, Prefix)>,
    },
}

/// A part of a reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The part.
    pub reply: Reply,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Mark>,
}

impl From<Reply> for Page {
    /// A reply that has one page.
    fn from(reply: Reply) -> Page {
        Page { reply, next: None }
    }
}

impl Reply {
    /// Puts the page that follows behind. A reply of another kind, such as a failure on the way,
    /// takes the place of what was there.
    pub fn extend(&mut self, next: Reply) {
        match (self, next) {
            (Reply::Peers(view), Reply::Peers(more)) => view.peers.extend(more.peers),
            (Reply::Sas(view), Reply::Sas(more)) => view.tunnels.extend(more.tunnels),
            (Reply::Metrics(view), Reply::Metrics(more)) => view.peers.extend(more.peers),
            (Reply::Routes(view), Reply::Routes(more)) => view.extend(more),
            (Reply::Vpcs(view), Reply::Vpcs(more)) => view.vpcs.extend(more.vpcs),
            (Reply::Nat(view), Reply::Nat(more)) => view.vpcs.extend(more.vpcs),
            (Reply::Events(view), Reply::Events(more)) => {
                view.events.extend(more.events);
                view.last = more.last;
            }
            (whole, other) => *whole = other,
        }
    }
}

impl RoutesView {
    /// A VPC may end on one page and go on on the next.
    fn extend(&mut self, more: RoutesView) {
        for next in more.vpcs {
            match self.vpcs.last_mut().filter(|last| last.vpc == next.vpc) {
                Some(last) => {
                    last.routes.extend(next.routes);
                    last.rejected.extend(next.rejected);
                }
                None => self.vpcs.push(next),
            }
        }
    }
}

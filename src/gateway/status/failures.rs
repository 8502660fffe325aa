//! Why a peer is not as it should be, in views.

use super::millis;
use super::peer::Seen;
use crate::control::{Code, FailureView};
use crate::gateway::diagnosis::Fact;
use crate::gateway::events::PastEvent;
use crate::gateway::failover::Health;
use crate::gateway::tunnel::Tunnel;
use crate::time::Timestamp;

/// What is wrong with a peer, or what went wrong last: an attempt that has no answer yet goes before
/// what is over, and a fault of this host before that.
pub(super) fn last_failure(seen: &Seen<'_>, now: Timestamp) -> Option<FailureView> {
    let Seen { tunnel, config, ike, .. } = seen;
    let last = tunnel.last_failure.as_ref();
    let down = tunnel.health() == Health::Down;
    let unanswered = ike.as_ref().and_then(|ike| ike.unanswered).filter(|one| one.sent > 1);
    let running = unanswered.filter(|_| down).map(|unanswered| {
        let fact = Fact::of_failure(&unanswered.reason(now), config);
        let own = last.map(|last| &last.fact).filter(|last| last.explains(&fact));
        let own = tunnel.own_fault.as_ref().or(own);
        PastEvent { at: unanswered.since, fact: own.cloned().unwrap_or_else(|| fact.into()) }
    });
    running.as_ref().or(last).map(|failure| failure_view(failure, now))
}

/// Why nothing goes wrong, and there is no tunnel.
pub(super) fn waits(seen: &Seen<'_>, closed: bool) -> Option<FailureView> {
    let Seen { tunnel, config, .. } = seen;
    let name = &config.name;
    let (reason, remedy) = if tunnel.health() != Health::Down {
        return None;
    } else if closed {
        ("closed by `vpnctl terminate`", format!("vpnctl initiate {name}"))
    } else if let (None, Some(name)) = (config.remote_address, &config.remote_name) {
        ("waits for its name to be resolved", format!("getent ahosts {name}"))
    } else if config.remote_address.is_none() {
        ("waits for the peer, whose address is not configured", "is it on?".to_owned())
    } else if !config.initiate {
        ("waits for the peer (initiate = false)", format!("vpnctl initiate {name}"))
    } else {
        return None;
    };
    let (reason, remedy) = (reason.to_owned(), Some(remedy));
    let ago_ms = 0;
    Some(FailureView { code: Code::Closed, reason, remedy, ago_ms, ..FailureView::default() })
}

pub(super) fn suspicion(tunnel: &Tunnel, now: Timestamp) -> Option<FailureView> {
    let refused = tunnel.suspicion.as_ref()?;
    Some(FailureView { unproven: true, ..failure_view(refused, now) })
}

fn failure_view(failure: &PastEvent, now: Timestamp) -> FailureView {
    let fact = &failure.fact;
    FailureView {
        code: fact.code,
        reason: fact.text.clone(),
        ours: fact.ours.clone(),
        theirs: fact.theirs.clone(),
        remedy: fact.remedy.clone(),
        ago_ms: millis(now.since(failure.at)),
        unproven: false,
    }
}

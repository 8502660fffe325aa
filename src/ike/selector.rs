//! Narrowing of traffic selectors (RFC 7296 §2.9).

use crate::wire::ike::TrafficSelector;

/// What `offered` and `allowed` have in common, in the order of the offer, without parts that
/// another part covers. Empty when there is nothing: TS_UNACCEPTABLE.
pub(super) fn narrow(
    offered: &[TrafficSelector],
    allowed: &[TrafficSelector],
) -> Vec<TrafficSelector> {
    let mut narrowed: Vec<TrafficSelector> = Vec::new();
    for one in offered {
        for other in allowed {
            let Some(common) = intersection(one, other) else { continue };
            if narrowed.iter().any(|wider| covers(wider, &common)) {
                continue;
            }
            narrowed.retain(|smaller| !covers(&common, smaller));
            narrowed.push(common);
        }
    }
    narrowed
}

/// Whether all of `narrowed` lies in `offered`: a responder may take less, never more.
pub(super) fn is_within(narrowed: &[TrafficSelector], offered: &[TrafficSelector]) -> bool {
    let within = |one: &TrafficSelector| offered.iter().any(|wider| covers(wider, one));
    !narrowed.is_empty() && narrowed.iter().all(within)
}

fn intersection(one: &TrafficSelector, other: &TrafficSelector) -> Option<TrafficSelector> {
    if one == other {
        return Some(*one); // also OPAQUE ports, which no range arithmetic fits
    }
    let protocol = match (one.protocol, other.protocol) {
        (0, protocol) | (protocol, 0) => protocol,
        (protocol, same) if protocol == same => protocol,
        (_, _) => return None,
    };
    let start_port = one.start_port.max(other.start_port);
    let end_port = one.end_port.min(other.end_port);
    let addresses = one.addresses.intersection(&other.addresses)?;
    (start_port <= end_port).then_some(TrafficSelector {
        protocol,
        start_port,
        end_port,
        addresses,
    })
}

fn covers(wider: &TrafficSelector, one: &TrafficSelector) -> bool {
    let protocol = wider.protocol == 0 || wider.protocol == one.protocol;
    let ports = wider.start_port <= one.start_port && one.end_port <= wider.end_port;
    wider == one || protocol && ports && wider.addresses.covers(&one.addresses)
}

/// Selectors in words, for an operator.
pub(super) fn describe(selectors: &[TrafficSelector]) -> String {
    let words: Vec<String> = selectors.iter().map(ToString::to_string).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests;

//! What is to hold against who breaks key exchanges later: ML-KEM, and pre-shared keys beside them.

use super::{Contradiction, Side};
use crate::crypto::suite::PostQuantum;

/// One side must have what the other refuses.
pub(super) fn post_quantum(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (here, there) = (one.peer.post_quantum, other.peer.post_quantum);
    if (here, there) == (PostQuantum::Require, PostQuantum::Off) {
        let (a, b) = (one.name(), other.name());
        found.push(Contradiction {
            message: format!(
                "{a} requires ML-KEM beside the key exchange (post_quantum), and {b} has it off"
            ),
            help: format!("leave `post_quantum` out at {b}, or write post_quantum = \"prefer\""),
        });
    }
}

/// Both sides must have the same pre-shared key by the same name, or may do without.
pub(super) fn ppk(one: Side<'_>, other: Side<'_>, found: &mut Vec<Contradiction>) {
    let (a, b) = (one.name(), other.name());
    let help = "give both the same file as `ppk_file`, and the same `ppk_id`".to_owned();
    let is_required = |side: &Side<'_>| side.peer.ppk.as_ref().is_some_and(|ppk| ppk.required);
    let required = is_required(&one) || is_required(&other);
    let message = match (&one.peer.ppk, &other.peer.ppk) {
        (Some(here), Some(there)) if here.id == there.id && here.secret != there.secret => {
            format!("the post-quantum pre-shared keys {:?} of {a} and {b} differ", here.id)
        }
        (Some(here), Some(there)) if here.id != there.id && required => format!(
            "{a} has the post-quantum pre-shared key {:?}, {b} has {:?}, and one is required",
            here.id, there.id
        ),
        (Some(_), None) if is_required(&one) => {
            format!("{a} requires a post-quantum pre-shared key, and {b} has none")
        }
        (None, Some(_)) if is_required(&other) => {
            format!("{b} requires a post-quantum pre-shared key, and {a} has none")
        }
        (Some(_) | None, Some(_) | None) => return,
    };
    found.push(Contradiction { message, help });
}

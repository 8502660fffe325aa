//! Entry points for fuzzing: what must hold for *any* input of each decoder and engine.
//!
//! A target takes octets, hands them to the code that will get them from strangers, and panics
//! when a promise is broken; refusing the octets is never a fault. `fuzz/` wraps each target for
//! libFuzzer, and tests replay the committed corpora through the same functions. None of this is
//! part of the gateway: the module exists under `cfg(test)` and `cfg(fuzzing)` only.

mod certificates;
mod messages;
mod packets;
mod pair;
mod sessions;
mod texts;
mod walks;

pub use certificates::{certificate_chain, private_key, revocation_list};
pub use messages::{bfd_control, ike_chain, ike_message, neighbor_frame, vrrp_advertisement};
pub use packets::{
    aggfrag_payload, esp_classify, esp_packet, esp_state, ike_stream, ip_packet, super_packet,
};
pub use pair::ike_pair;
pub use sessions::{bgp_session, bgp_stream, ike_endpoint};
pub use texts::{config_text, control_request, key_file, suite_name};
pub use walks::operations;

/// A function that must not panic, whatever it is given.
pub type Target = fn(&[u8]);

/// Targets that take long for an input, in the same way.
pub const SLOW_TARGETS: &[(&str, Target)] = &[("operations", operations)];

/// Every target that is quick, by the name of its corpus, `fuzz/corpus/<name>/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("ike_message", ike_message),
    ("ike_chain", ike_chain),
    ("vrrp_advertisement", vrrp_advertisement),
    ("neighbor_frame", neighbor_frame),
    ("bfd_control", bfd_control),
    ("ip_packet", ip_packet),
    ("esp_classify", esp_classify),
    ("ike_stream", ike_stream),
    ("esp_packet", esp_packet),
    ("esp_state", esp_state),
    ("aggfrag_payload", aggfrag_payload),
    ("super_packet", super_packet),
    ("bgp_stream", bgp_stream),
    ("bgp_session", bgp_session),
    ("ike_endpoint", ike_endpoint),
    ("ike_pair", ike_pair),
    ("config_text", config_text),
    ("control_request", control_request),
    ("key_file", key_file),
    ("suite_name", suite_name),
    ("certificate_chain", certificate_chain),
    ("revocation_list", revocation_list),
    ("private_key", private_key),
];

#[cfg(test)]
mod tests;

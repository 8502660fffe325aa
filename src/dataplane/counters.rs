//! What happens to datagrams outside any tunnel.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {
        /// Counters of the whole data plane, shared by its workers.
        #[derive(Debug, Default)]
        pub struct DataplaneCounters {
            $($(#[doc = $doc])* pub $name: Counter,)*
        }

        impl DataplaneCounters {
            /// All counters with their names.
            pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.read())),*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams handed to the control plane.
    control_received,
    /// Datagrams for the control plane that came faster than it takes them.
    control_dropped,
    /// Inner packets for the gateway itself, handed to the control plane.
    inner_received,
    /// Inner packets for the gateway itself that came faster than it takes them.
    inner_dropped,
    /// Times that the control plane was told of a peer's packets that come from elsewhere.
    strayed,
    /// NAT keepalives received (RFC 3948 §2.3).
    keepalives,
    /// Datagrams that are neither ESP nor IKE.
    malformed,
    /// Datagrams that the underlay refused.
    send_failed,
    /// Times that a socket was full and its worker stopped reading.
    backpressure,
    /// Trains that the kernel did not take as one and that went out datagram by datagram.
    train_fallbacks,
    /// Errors reported by receiving sockets.
    receive_errors,
    /// Packets from a device that were not what their virtio-net header says.
    malformed_super_packets,
    /// Packets too big whose sender was not told: there were too many (RFC 4443 §2.4(f)).
    replies_withheld,
    /// Packets that a device did not take.
    write_failed,
    /// Merged packets that a device did not take as one.
    merge_fallbacks,
    /// TCP connections accepted (RFC 9329).
    streams_accepted,
    /// TCP connections that were not taken, or gave way to others: too many strangers.
    streams_refused,
    /// TCP connections of strangers in which nobody proved to be a peer in time.
    streams_expired,
    /// TCP connections that carried something else than IKE and ESP.
    streams_faulty,
    /// Messages for a TCP connection that does not send as fast as they come.
    streams_full,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The count so far.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }
}

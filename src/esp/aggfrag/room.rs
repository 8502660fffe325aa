//! Where packets lie that have been put together, for as long as a batch is on its way.

use std::mem;

/// Memory for one batch, taken from the front. None is allocated before the first packet needs it.
#[derive(Debug)]
pub struct Room<'r> {
    closed: Option<&'r mut Vec<u8>>,
    open: &'r mut [u8],
}

impl<'r> Room<'r> {
    /// Octets of a room: what one batch of datagrams can hold, and a packet that has begun before.
    pub const OCTETS: usize = (512 << 10) + (64 << 10);

    /// A room in `memory`, which is kept from batch to batch.
    pub fn new(memory: &'r mut Vec<u8>) -> Room<'r> {
        Room { closed: Some(memory), open: &mut [] }
    }

    /// The next `len` octets, whatever is in them; `None` when no more than that are left.
    pub(super) fn take(&mut self, len: usize) -> Option<&'r mut [u8]> {
        if let Some(memory) = self.closed.take() {
            memory.resize(Room::OCTETS, 0);
            self.open = memory;
        }
        if len > self.open.len() {
            return None;
        }
        let (taken, open) = mem::take(&mut self.open).split_at_mut(len);
        self.open = open;
        Some(taken)
    }
}

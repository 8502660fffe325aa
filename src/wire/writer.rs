//! A growing buffer for bytes to be sent, with length fields that fill themselves in.

use std::ops::{Deref, DerefMut};

/// Writes fields in network byte order.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Writer::default()
    }

    /// An empty writer with room for `capacity` octets.
    pub fn with_capacity(capacity: usize) -> Self {
        Writer { bytes: Vec::with_capacity(capacity) }
    }

    /// Octets written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends octets as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends `count` zero octets.
    pub fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    /// Appends one octet.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends a 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends a 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends a 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends a 16-bit length that counts `before` octets before it, itself, and all that is
    /// written through the guard. A length that does not fit is written as 65535.
    pub fn length_u16(&mut self, before: usize) -> LengthGuard<'_> {
        self.length(before, Width::Two)
    }

    /// Like [`length_u16`](Writer::length_u16), with a 32-bit length.
    pub fn length_u32(&mut self, before: usize) -> LengthGuard<'_> {
        self.length(before, Width::Four)
    }

    fn length(&mut self, before: usize, width: Width) -> LengthGuard<'_> {
        let at = self.len();
        self.zeros(width as usize);
        LengthGuard { writer: self, at, before, width }
    }

    /// All that was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[derive(Clone, Copy, Debug)]
enum Width {
    Two = 2,
    Four = 4,
}

/// A writer whose contents are counted by a length field; the field is set on drop.
#[derive(Debug)]
pub struct LengthGuard<'w> {
    writer: &'w mut Writer,
    at: usize,
    before: usize,
    width: Width,
}

impl Deref for LengthGuard<'_> {
    type Target = Writer;
    fn deref(&self) -> &Writer {
        self.writer
    }
}

impl DerefMut for LengthGuard<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        self.writer
    }
}

impl Drop for LengthGuard<'_> {
    fn drop(&mut self) {
        let length = self.writer.len() - self.at + self.before;
        match self.width {
            Width::Two => self.patch(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()),
            Width::Four => self.patch(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()),
        }
    }
}

impl LengthGuard<'_> {
    fn patch<const N: usize>(&mut self, field: [u8; N]) {
        if let Some(place) = self.writer.bytes.get_mut(self.at..self.at + N) {
            place.copy_from_slice(&field);
        }
    }
}

#[cfg(test)]
mod tests;

//! A cursor over received bytes that cannot run past their end.

use super::{DecodeError, Fault};

/// Reads fields in network byte order from a slice and remembers where it stands.
///
/// A reader ends with [`finish`](Reader::finish), which refuses trailing bytes, or with
/// [`rest`](Reader::rest), which takes them.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader over `bytes`, which should hold one `what`.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Reader { what, bytes, at: 0 }
    }

    /// Octets not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Offset of the next octet from the start of the outermost input.
    pub fn position(&self) -> usize {
        self.at
    }

    /// An error at the present position.
    pub fn error(&self, why: Fault) -> DecodeError {
        DecodeError { what: self.what, why, at: self.at }
    }

    /// An error about a field whose value its RFC excludes.
    pub fn invalid(&self, why: &'static str) -> DecodeError {
        self.error(Fault::Invalid(why))
    }

    /// The next `count` octets.
    ///
    /// # Errors
    ///
    /// When fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(self.error(Fault::Truncated { needed: count, left: self.bytes.len() }));
        };
        self.bytes = rest;
        self.at += count;
        Ok(taken)
    }

    /// The next `N` octets as an array.
    ///
    /// # Errors
    ///
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_first_chunk() else {
            return Err(self.error(Fault::Truncated { needed: N, left: self.bytes.len() }));
        };
        self.bytes = rest;
        self.at += N;
        Ok(*taken)
    }

    /// The next octet.
    ///
    /// # Errors
    ///
    /// When none is left.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// The next 16-bit number.
    ///
    /// # Errors
    ///
    /// When fewer than 2 octets are left.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// The next 32-bit number.
    ///
    /// # Errors
    ///
    /// When fewer than 4 octets are left.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// The next 64-bit number.
    ///
    /// # Errors
    ///
    /// When fewer than 8 octets are left.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A reader over the next `count` octets, which should hold one `what`.
    ///
    /// # Errors
    ///
    /// When fewer are left.
    pub fn nested(&mut self, what: &'static str, count: usize) -> Result<Reader<'a>, DecodeError> {
        let at = self.at;
        Ok(Reader { what, bytes: self.take(count)?, at })
    }

    /// A reader over what follows a length field that counts itself and `read` octets in all of
    /// the same structure, as most IETF length fields do.
    ///
    /// # Errors
    ///
    /// When the length is less than `read`, or more than there is.
    pub fn nested_after(
        &mut self,
        what: &'static str,
        length: u16,
        read: usize,
    ) -> Result<Reader<'a>, DecodeError> {
        let Some(count) = usize::from(length).checked_sub(read) else {
            return Err(DecodeError { what, why: Fault::Length(length.into()), at: self.at });
        };
        self.nested(what, count)
    }

    /// Everything not yet read.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes;
        self.at += rest.len();
        self.bytes = &[];
        rest
    }

    /// Succeeds when everything has been read.
    ///
    /// # Errors
    ///
    /// When octets are left over.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(self.error(Fault::Trailing { left })),
        }
    }
}

#[cfg(test)]
mod tests;

//! The arrays that `sendmmsg` and `recvmmsg` want, kept from call to call.

use nix::libc;
use std::mem::zeroed;

/// Headers of `MESSAGES` messages, and a slot for what each of them points at.
pub(super) struct Table<const MESSAGES: usize, const CONTROL: usize> {
    pub(super) headers: Box<[libc::mmsghdr; MESSAGES]>,
    pub(super) slots: Box<[Slot<CONTROL>; MESSAGES]>,
}

/// Address, single part and control messages of one message.
#[derive(Clone, Copy)]
pub(super) struct Slot<const CONTROL: usize> {
    pub(super) address: libc::sockaddr_in6,
    pub(super) part: libc::iovec,
    pub(super) control: Control<CONTROL>,
}

/// Control messages want the alignment of their header.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control<const CONTROL: usize>(pub(super) [u8; CONTROL]);

// SAFETY: the pointers inside are written and used only within one call of `receive` or `send`,
// and point at memory that the caller owns or borrows for that call.
unsafe impl<const MESSAGES: usize, const CONTROL: usize> Send for Table<MESSAGES, CONTROL> {}

impl<const MESSAGES: usize, const CONTROL: usize> Table<MESSAGES, CONTROL> {
    pub(super) fn new() -> Self {
        // SAFETY: all are plain C structures for which zero bytes are a value.
        let (header, slot) = unsafe { (zeroed(), zeroed()) };
        Table { headers: Box::new([header; MESSAGES]), slots: Box::new([slot; MESSAGES]) }
    }
}

impl<const CONTROL: usize> Slot<CONTROL> {
    /// A header that points at this slot: an address of `name_length` bytes, the part, and all of
    /// the space for control messages.
    pub(super) fn header(&mut self, name_length: libc::socklen_t) -> libc::msghdr {
        // SAFETY: a plain C structure for which zero bytes are a value.
        let mut header: libc::msghdr = unsafe { zeroed() };
        header.msg_name = (&raw mut self.address).cast();
        header.msg_namelen = name_length;
        header.msg_iov = &raw mut self.part;
        header.msg_iovlen = 1;
        header.msg_control = self.control.0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL as _;
        header
    }
}

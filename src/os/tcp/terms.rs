//! On what terms segments are taken: signed with a password (RFC 2385), and by no router forwarded
//! (RFC 5082).
#![expect(unsafe_code, reason = "TCP_MD5SIG and IP_MINTTL have no safe wrapper")]

use std::io;
use std::mem::size_of_val;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use socket2::{SockAddr, SockAddrStorage};

/// `TCP_MD5SIG_MAXKEYLEN`.
const PASSWORD_MAX: usize = 80;
/// The TTL of what no router has forwarded.
const WHOLE_HOP_LIMIT: libc::c_int = 255;

/// On what terms the segments of one host are taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// The password that signs them.
    pub password: Option<&'a [u8]>,
    /// They have a TTL of 255.
    pub unforwarded: bool,
}

/// `struct tcp_md5sig` of `linux/tcp.h`.
#[repr(C)]
struct Md5Signature {
    address: SockAddrStorage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: libc::c_int,
    key: [u8; PASSWORD_MAX],
}

/// Signs what a socket exchanges with `remote` from now on, or takes nothing else from it: also of those
/// that connect to a socket that listens.
///
/// # Errors
///
/// When the password is too long, or the kernel knows no TCP-MD5.
pub fn sign(socket: &impl AsFd, remote: IpAddr, password: &[u8]) -> io::Result<()> {
    let mut key = [0; PASSWORD_MAX];
    let room = key.get_mut(..password.len()).ok_or(io::ErrorKind::InvalidInput)?;
    room.copy_from_slice(password);
    let signature = Md5Signature {
        address: SockAddr::from(SocketAddr::new(remote, 0)).as_storage(),
        flags: 0,
        prefix_length: 0,
        key_length: u16::try_from(password.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        interface: 0,
        key,
    };
    set(socket, libc::IPPROTO_TCP, libc::TCP_MD5SIG, &signature)
}

/// Takes only segments that no router has forwarded.
///
/// # Errors
///
/// When the kernel refuses.
pub fn take_unforwarded(socket: &impl AsFd, ipv4: bool) -> io::Result<()> {
    let (level, name) = match ipv4 {
        true => (libc::IPPROTO_IP, libc::IP_MINTTL),
        false => (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT),
    };
    set(socket, level, name, &WHOLE_HOP_LIMIT)
}

fn set<T>(socket: &impl AsFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of_val(value) as libc::socklen_t;
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open while it is borrowed, and the kernel reads `length` bytes of a
    // value that lives for the call.
    let outcome = unsafe {
        libc::setsockopt(descriptor, level, name, std::ptr::from_ref(value).cast(), length)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

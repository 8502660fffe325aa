//! The terminal as a screen of its own: keys come as they are pressed, and what was on it before comes back
//! when the screen is dropped, when the process panics, and on whatever else ends it in order.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

/// The alternate screen of xterm (1049), and no cursor (DECTCEM).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";
/// Colours as they were, the cursor, and what was on the screen before.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";
/// So many octets of keys are taken at once.
const KEYS: usize = 64;

/// How the terminal was, while there is a screen.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal while it is a screen.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    ///
    /// When standard input or output is none.
    pub fn open() -> io::Result<Screen> {
        static HOOK: Once = Once::new();
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let screen = Screen(());
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            // What a panic says must not vanish with the screen.
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                told(panic);
            }));
        });
        tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)?;
        let mut stdout = io::stdout();
        stdout.write_all(ENTER)?;
        stdout.flush()?;
        Ok(screen)
    }

    /// Keys that were pressed, within this time. Nothing at the end of the input, too, which comes at once.
    pub fn keys(&self, patience: Duration) -> io::Result<Vec<u8>> {
        let stdin = io::stdin();
        let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        match poll(&mut ready, patience) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(Vec::new()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut octets = [0; KEYS];
        let length = stdin.lock().read(&mut octets)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(octets[..length].to_vec())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back; once is enough.
fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(before) = before else { return };
    let mut stdout = io::stdout();
    // A terminal that is gone needs nothing.
    let _ = stdout.write_all(LEAVE).and_then(|()| stdout.flush());
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
}

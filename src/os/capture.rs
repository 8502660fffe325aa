//! A record of every frame that crosses a device, for tests that must see what a wire sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::packet::{Frames, PacketSocket};

/// Larger than any frame, super-packets of segmentation offload included.
const FRAME_MAX: usize = 1 << 17;
/// How much the kernel keeps while the recorder is busy.
const BACKLOG: usize = 64 << 20;
/// How soon a recorder notices that it shall end.
const GLANCE: Duration = Duration::from_millis(20);

/// A recorded frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When the recorder took it up.
    pub at: Instant,
    /// Its bytes, from the destination address on.
    pub bytes: Vec<u8>,
}

/// A recording in progress.
#[derive(Debug)]
pub struct Capture {
    ending: Arc<AtomicBool>,
    recorder: JoinHandle<Vec<Frame>>,
}

impl Capture {
    /// Records a device of a namespace from now on, frames sent and received.
    pub fn start(namespace: &str, device: &str) -> Result<Self> {
        let socket = PacketSocket::open(Some(namespace), device, Frames::All)?;
        socket.set_patience(GLANCE)?;
        socket.set_buffer(BACKLOG)?;
        let ending = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ending);
        let recorder = std::thread::spawn(move || record(&socket, &seen));
        Ok(Capture { ending, recorder })
    }

    /// Ends the recording and hands out the frames.
    pub fn finish(self) -> Result<Vec<Frame>> {
        self.ending.store(true, Ordering::Relaxed);
        self.recorder.join().map_err(|_| anyhow!("the recorder has panicked"))
    }
}

fn record(socket: &PacketSocket, ending: &AtomicBool) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut buffer = vec![0; FRAME_MAX];
    while !ending.load(Ordering::Relaxed) {
        let Ok(length) = socket.receive(&mut buffer) else { continue };
        let bytes = buffer.get(..length).unwrap_or(&buffer).to_vec();
        frames.push(Frame { at: Instant::now(), bytes });
    }
    frames
}

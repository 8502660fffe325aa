//! `vpnctl top`: peers and events of all gateways on one screen, as they change. What is shown is a value
//! ([`model`]) and how is a function of it ([`draw`]); here are the terminal, the clock and the gateways.

mod backend;
mod draw;
mod model;

use super::args::Common;
use super::client;
use super::exit::Ending;
use super::gateways::{self, Target};
use super::look::{self, Look};
use crate::control::{EventsView, PeersView, Request, SasView};
use crate::os::signal::Signals;
use crate::os::terminal::Screen;
use anyhow::{Context, Error, Result, anyhow, bail};
use backend::Ansi;
use model::{Answers, Key, Model};
use ratatui::Terminal;
use ratatui::layout::Size;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, ErrorKind, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Between two questions to the gateways.
const PAUSE: Duration = Duration::from_millis(1000);
/// How soon keys, another size and signals are seen.
const GLANCE: Duration = Duration::from_millis(100);
/// So many of each gateway's last events are asked for.
const EVENTS: u64 = 100;
/// The size of a terminal that does not tell.
const USUAL: Size = Size::new(80, 24);

/// `vpnctl top`.
pub(super) fn top(common: &Common, look: Look) -> Result<ExitCode> {
    if look.json || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        bail!("top needs a terminal; in a pipe there is `vpnctl peers --watch`, and `--json`");
    }
    // Who is not there at the beginning is told so as by the other commands.
    gateways::all(common)?;
    let (sender, answers) = sync_channel(1);
    let (by_signal, asks) = (Arc::new(AtomicBool::new(false)), common.clone());
    watch_signals(Arc::clone(&by_signal))?;
    std::thread::spawn(move || ask_for_ever(&asks, &sender));
    let screen = Screen::open().context("the terminal cannot be used")?;
    let out = BufWriter::new(io::stdout());
    let backend = Ansi::new(out, size, look.colours);
    let shown = run(&mut Terminal::new(backend)?, &screen, &answers, &by_signal);
    drop(screen);
    match shown {
        Ok(()) => Ok(Ending::Well.into()),
        // The terminal is gone, and with it whoever would read an error.
        Err(error) if is_gone(&error) => Ok(Ending::Well.into()),
        Err(error) => Err(error),
    }
}

fn run<B>(
    terminal: &mut Terminal<B>,
    screen: &Screen,
    answers: &Receiver<Answers>,
    by_signal: &AtomicBool,
) -> Result<()>
where
    B: ratatui::backend::Backend<Error = io::Error>,
{
    let mut model = Model::default();
    while !by_signal.load(Ordering::Relaxed) {
        while let Ok(new) = answers.try_recv() {
            model.take(new);
        }
        terminal.draw(|frame| draw::draw(&model, frame))?;
        for key in Key::read(&screen.keys(GLANCE)?) {
            if !model.press(key) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn is_gone(error: &Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| {
        error.kind() == ErrorKind::UnexpectedEof
            || error.kind() == ErrorKind::BrokenPipe
            || error.raw_os_error() == Some(nix::errno::Errno::EIO as i32)
    })
}

fn size() -> Size {
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((width, height)) if width.0 > 0 && height.0 > 0 => Size::new(width.0, height.0),
        Some(_) | None => USUAL,
    }
}

/// Notes that a signal wants an end, so that the terminal is given back first.
fn watch_signals(noted: Arc<AtomicBool>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::subscribe()?
    };
    std::thread::spawn(move || {
        runtime.block_on(signals.next());
        noted.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Asks the gateways again and again, until nobody takes the answers any more.
fn ask_for_ever(common: &Common, answers: &SyncSender<Answers>) {
    let mut known = BTreeMap::new();
    loop {
        let targets = gateways::all(common).unwrap_or_default();
        let all = ask_all(&targets, &mut known);
        if answers.send(all).is_err() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// What all of them say, who are asked at the same time; `known` has the numbers of their last events.
fn ask_all(targets: &[Target], known: &mut BTreeMap<PathBuf, u64>) -> Answers {
    let mut answers = Answers::default();
    std::thread::scope(|scope| {
        let mut asked = Vec::with_capacity(targets.len());
        for target in targets {
            let after = known.get(&target.socket).map_or(0, |last| last.saturating_sub(EVENTS));
            asked.push((target, scope.spawn(move || ask(target, after))));
        }
        for (target, asked) in asked {
            match asked.join().unwrap_or_else(|_| Err(anyhow!("asking has failed"))) {
                Ok((peers, sas, events)) => {
                    known.insert(target.socket.clone(), events.last);
                    answers.peers.push(peers);
                    answers.sas.push(sas);
                    answers.events.push(events);
                }
                Err(error) => answers.silent.push((target.name.clone(), why(&error))),
            }
        }
    });
    answers
}

fn ask(target: &Target, after: u64) -> Result<(PeersView, SasView, EventsView)> {
    let mut events: EventsView = answer(target, &Request::Events { after })?;
    if events.last < after {
        // It has begun anew, and so do the numbers.
        events = answer(target, &Request::Events { after: 0 })?;
    }
    Ok((answer(target, &Request::Peers)?, answer(target, &Request::Sas)?, events))
}

fn answer<V: DeserializeOwned>(target: &Target, request: &Request) -> Result<V> {
    let body = client::ask(&target.socket, request)?;
    serde_json::from_str(&body).context("it runs another version of vpngw than this vpnctl")
}

fn why(error: &Error) -> String {
    match error.is::<client::NotRunning>() {
        true => "does not run".to_owned(),
        false => look::sentence(error),
    }
}

//! The commands that show something.

use super::args::{Common, Watch};
use super::client::{self, NotRunning};
use super::exit::Ending;
use super::gateways::{self, Target};
use super::look::{self, BAD, Look, STRONG};
use super::objects::{Failed, Message};
use super::sheet;
use crate::control::{Failure, FailureKind, Request};
use anyhow::{Context, Error, Result, anyhow};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::process::ExitCode;

/// Moves to the upper left corner and clears what is below (ECMA-48 CUP and ED).
const CLEAR: &str = "\x1b[H\x1b[2J";

/// The metrics of one gateway: two pages in one would repeat their headings.
pub(super) fn metrics(common: &Common) -> Result<ExitCode> {
    let target = gateways::one(common)?;
    look::print(&client::ask(&target.socket, &Request::Metrics)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what every gateway answers, once or again and again.
pub(super) fn repeat<V: DeserializeOwned>(
    common: &Common,
    request: &Request,
    show: impl Fn(&V, Look) -> String,
    watch: &Watch,
    look: Look,
) -> Result<ExitCode> {
    judge(common, request, show, |_| true, watch, look)
}

/// The same; a view with which not all is well makes the command end so.
pub(super) fn judge<V: DeserializeOwned>(
    common: &Common,
    request: &Request,
    show: impl Fn(&V, Look) -> String,
    is_well: impl Fn(&V) -> bool,
    watch: &Watch,
    look: Look,
) -> Result<ExitCode> {
    let page = || page(&gateways::all(common)?, request, &show, &is_well, look);
    let Some(pause) = watch.watch else {
        let (text, ending) = page()?;
        look::print(&text)?;
        return Ok(ending.into());
    };
    let clear = if look.aligned && !look.json { CLEAR } else { "" };
    loop {
        // A gateway that is being restarted is no reason to stop watching.
        let text = page().map_or_else(|error| format!("{error:#}"), |(text, _)| text);
        look::print(&format!("{clear}{}", look::on_screen(&text, look.height)))?;
        std::thread::sleep(pause);
    }
}

/// The answers of all `targets`, which are asked at the same time. One gateway that does not answer is
/// a remark among the answers of others, and an error alone; gateways that do not know the peer are
/// left out when another does.
fn page<V: DeserializeOwned>(
    targets: &[Target],
    request: &Request,
    show: &impl Fn(&V, Look) -> String,
    is_well: &impl Fn(&V) -> bool,
    look: Look,
) -> Result<(String, Ending)> {
    let (mut parts, mut failures, mut ending) = (Vec::new(), Vec::new(), Ending::Well);
    for (target, answer) in targets.iter().zip(ask_all(targets, request)) {
        let look = if parts.is_empty() { look } else { look.without_headings() };
        match answer.and_then(|body| rendered(&body, show, is_well, look)) {
            Ok((text, true)) => parts.push(text),
            Ok((text, false)) => {
                parts.push(text);
                ending = Ending::Down;
            }
            Err(error) => {
                if !knows_no_such_peer(&error) {
                    parts.extend(remark(target, &error, look));
                    ending = Ending::Down;
                }
                failures.push(error);
            }
        }
    }
    if failures.len() == targets.len() {
        return Err(failures.swap_remove(0));
    }
    let gap = if look.aligned && !look.json { "\n\n" } else { "\n" };
    Ok((sheet::finished(parts.join(gap), look), ending))
}

fn ask_all(targets: &[Target], request: &Request) -> Vec<Result<String>> {
    std::thread::scope(|scope| {
        let ask = |target: &Target| {
            let socket = target.socket.clone();
            scope.spawn(move || client::ask(&socket, request))
        };
        let asked: Vec<_> = targets.iter().map(ask).collect();
        let answer = |asked: std::thread::ScopedJoinHandle<'_, Result<String>>| {
            asked.join().unwrap_or_else(|_| Err(anyhow!("asking has failed")))
        };
        asked.into_iter().map(answer).collect()
    })
}

/// What is said of a gateway that does not answer: a line for people, an object in JSON; beside columns
/// for programs it goes to standard error.
fn remark(target: &Target, error: &Error, look: Look) -> Option<String> {
    if look.json {
        let error = Message { message: look::sentence(error) };
        let failed = Failed { gateway: Some(target.name.clone()), error };
        return look::versioned(&failed).ok();
    }
    let fact = match error.is::<NotRunning>() {
        true => "does not run".to_owned(),
        false => look::sentence(error),
    };
    if !look.aligned {
        eprintln!("{}: {fact}", target.name);
        return None;
    }
    let (name, fact) = (look.paint(STRONG, &target.name), look.paint(BAD, &fact));
    Some(format!("{name}  {fact}"))
}

fn rendered<V: DeserializeOwned>(
    body: &str,
    show: &impl Fn(&V, Look) -> String,
    is_well: &impl Fn(&V) -> bool,
    look: Look,
) -> Result<(String, bool)> {
    const OTHER: &str = "the gateway runs another version of vpngw than this vpnctl";
    let view: V = serde_json::from_str(body).context(OTHER)?;
    let text = match look.json {
        true => versioned(body).context(OTHER)?,
        false => show(&view, look),
    };
    Ok((text, is_well(&view)))
}

/// An answer of a gateway as `--json` prints it.
pub(super) fn versioned(body: &str) -> Result<String> {
    look::versioned(&serde_json::from_str::<Value>(body)?)
}

fn knows_no_such_peer(error: &Error) -> bool {
    let failure = error.downcast_ref::<Failure>();
    failure.is_some_and(|failure| failure.kind == FailureKind::NoSuchPeer)
}

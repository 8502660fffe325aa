//! The commands that show something.

use super::args::{Common, Watch};
use super::client::{self, NotRunning};
use super::gateways::{self, Target};
use super::look::{self, BAD, Look, STRONG};
use crate::control::{Failure, FailureKind, Request};
use anyhow::{Context, Error, Result};
use serde::de::DeserializeOwned;
use std::process::ExitCode;

type Show<V> = fn(&V, Look) -> String;

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
    show: Show<V>,
    watch: &Watch,
    look: Look,
) -> Result<ExitCode> {
    let page = || page(&gateways::all(common)?, request, show, look);
    let Some(pause) = watch.watch else {
        look::print(&page()?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let clear = if look.aligned && !look.json { CLEAR } else { "" };
    loop {
        // A gateway that is being restarted is no reason to stop watching.
        let text = page().unwrap_or_else(|error| format!("{error:#}"));
        look::print(&format!("{clear}{text}"))?;
        std::thread::sleep(pause);
    }
}

/// The answers of all `targets`. One gateway that does not run is a remark among the answers of
/// others, and an error alone; gateways that do not know the peer are left out when another does.
fn page<V: DeserializeOwned>(
    targets: &[Target],
    request: &Request,
    show: Show<V>,
    look: Look,
) -> Result<String> {
    let (mut parts, mut failures) = (Vec::new(), Vec::new());
    for target in targets {
        let look = if parts.is_empty() { look } else { look.without_headings() };
        match client::ask(&target.socket, request) {
            Ok(body) => parts.push(rendered(&body, show, look)?),
            Err(error) if error.is::<NotRunning>() || knows_no_such_peer(&error) => {
                parts.extend(remark(target, &error, look));
                failures.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    if failures.len() == targets.len() {
        return Err(failures.swap_remove(0));
    }
    let gap = if look.aligned && !look.json { "\n\n" } else { "\n" };
    Ok(parts.join(gap))
}

/// The line of a gateway that does not run, for people; programs see that its rows are missing.
fn remark(target: &Target, error: &Error, look: Look) -> Option<String> {
    let for_people = look.aligned && !look.json && error.is::<NotRunning>();
    for_people.then(|| {
        let (name, fact) = (look.paint(STRONG, &target.name), look.paint(BAD, "does not run"));
        format!("{name}  {fact}")
    })
}

fn rendered<V: DeserializeOwned>(body: &str, show: Show<V>, look: Look) -> Result<String> {
    if look.json {
        return Ok(body.trim_end().to_owned());
    }
    let view = serde_json::from_str(body);
    let view = view.context("the gateway runs another version of vpngw than this vpnctl")?;
    Ok(show(&view, look))
}

fn knows_no_such_peer(error: &Error) -> bool {
    let failure = error.downcast_ref::<Failure>();
    failure.is_some_and(|failure| failure.kind == FailureKind::NoSuchPeer)
}

//! The commands that show something.

use super::args::{Common, Watch};
use super::client::{self, NotRunning};
use super::gateways::{self, Target};
use super::look::{self, BAD, Look};
use super::show;
use crate::control::{Failure, FailureKind, Request};
use anyhow::{Context, Error, Result};
use serde::de::DeserializeOwned;
use std::process::ExitCode;

type Show<V> = fn(&V, Look) -> String;

pub(super) fn peers(
    common: &Common,
    name: Option<&str>,
    watch: &Watch,
    look: Look,
) -> Result<ExitCode> {
    match name {
        None => repeat(common, &Request::Peers, show::peers, watch, look),
        Some(name) => repeat(common, &Request::Peer(name.to_owned()), show::peer, watch, look),
    }
}

pub(super) fn routes(common: &Common, watch: &Watch, look: Look) -> Result<ExitCode> {
    repeat(common, &Request::Routes, show::routes, watch, look)
}

pub(super) fn sas(common: &Common, watch: &Watch, look: Look) -> Result<ExitCode> {
    repeat(common, &Request::Sas, show::sas, watch, look)
}

pub(super) fn vrrp(common: &Common, watch: &Watch, look: Look) -> Result<ExitCode> {
    repeat(common, &Request::Vrrp, show::vrrp, watch, look)
}

pub(super) fn stats(common: &Common, watch: &Watch, look: Look) -> Result<ExitCode> {
    repeat(common, &Request::Stats, show::stats, watch, look)
}

/// The metrics of one gateway: two pages in one would repeat their headings.
pub(super) fn metrics(common: &Common, _look: Look) -> Result<ExitCode> {
    let target = gateways::one(common)?;
    look::print(&client::ask(&target.socket, &Request::Metrics)?)?;
    Ok(ExitCode::SUCCESS)
}

fn repeat<V: DeserializeOwned>(
    common: &Common,
    request: &Request,
    show: Show<V>,
    watch: &Watch,
    look: Look,
) -> Result<ExitCode> {
    let Some(pause) = watch.watch else { return once(common, request, show, look) };
    loop {
        let page = page(&gateways::all(common)?, request, show, look)?;
        let clear = if look.aligned && !look.json { "\x1b[H\x1b[2J" } else { "" };
        look::print(&format!("{clear}{}", page.text))?;
        std::thread::sleep(pause);
    }
}

fn once<V: DeserializeOwned>(
    common: &Common,
    request: &Request,
    show: Show<V>,
    look: Look,
) -> Result<ExitCode> {
    let page = page(&gateways::all(common)?, request, show, look)?;
    look::print(&page.text)?;
    Ok(if page.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is to be shown, and whether every gateway answered.
struct Page {
    text: String,
    complete: bool,
}

/// The answers of all `targets`. One gateway that does not run is a line among those of others,
/// and an error alone; gateways that do not know the peer are left out when another does.
fn page<V: DeserializeOwned>(
    targets: &[Target],
    request: &Request,
    show: Show<V>,
    look: Look,
) -> Result<Page> {
    let (mut parts, mut silent, mut strangers) = (Vec::new(), Vec::new(), Vec::new());
    for target in targets {
        match client::ask(&target.socket, request) {
            Ok(body) => parts.push(rendered(&body, show, look)?),
            Err(error) if targets.len() > 1 && error.is::<NotRunning>() => silent.push(target),
            Err(error) if targets.len() > 1 && knows_no_such_peer(&error) => strangers.push(error),
            Err(error) => return Err(error),
        }
    }
    if let (true, Some(stranger)) = (parts.is_empty(), strangers.pop()) {
        return Err(stranger);
    }
    let complete = silent.is_empty();
    if !look.json {
        parts.extend(silent.into_iter().map(|target| {
            let does_not_run = look.paint(BAD, "does not run");
            format!("{}  {does_not_run}", target.name)
        }));
    }
    let gap = if look.aligned && !look.json { "\n\n" } else { "\n" };
    Ok(Page { text: parts.join(gap), complete })
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

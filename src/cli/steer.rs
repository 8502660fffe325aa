//! The commands that have a gateway do something.

use super::args::Common;
use super::client;
use super::exit::Ending;
use super::gateways::{self, Target};
use super::look::{self, Look};
use super::units;
use super::view;
use crate::control::{Done, DrainView, Request};
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Time between two questions whether a gateway is quiet.
const ASKING: Duration = Duration::from_millis(200);
const OTHER_VERSION: &str = "the gateway runs another version of vpngw than this vpnctl";

/// Asks the gateway that is meant, and says what it does.
pub(super) fn act(common: &Common, request: &Request, look: Look) -> Result<ExitCode> {
    let target = gateways::one(common)?;
    let body = client::ask(&target.socket, request)?;
    if look.json {
        look::print(&view::versioned(&body)?)?;
    } else {
        look::print(&done(&body)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn done(body: &str) -> Result<String> {
    Ok(serde_json::from_str::<Done>(body).context(OTHER_VERSION)?.message)
}

/// Has a gateway led everybody away, and waits until it is quiet.
pub(super) fn drain(common: &Common, patience: Duration, look: Look) -> Result<ExitCode> {
    let target = gateways::one(common)?;
    let begun = Instant::now();
    let body = client::ask(&target.socket, &Request::Drain)?;
    if !look.json {
        look::print(&done(&body)?)?;
    }
    loop {
        let (body, view) = ask(&target)?;
        if view.quiet || begun.elapsed() >= patience {
            look::print(&if look.json { view::versioned(&body)? } else { sentence(&view) })?;
            return Ok(if view.quiet { Ending::Well } else { Ending::Down }.into());
        }
        std::thread::sleep(ASKING);
    }
}

fn ask(target: &Target) -> Result<(String, DrainView)> {
    let body = client::ask(&target.socket, &Request::DrainState)?;
    let view = serde_json::from_str(&body).context(OTHER_VERSION)?;
    Ok((body, view))
}

/// How far draining has come, for people.
pub(super) fn sentence(view: &DrainView) -> String {
    if view.quiet {
        let quiet = units::span(view.quiet_for_ms);
        return format!(
            "quiet for {quiet}: nothing is carried any more; stop, restart or upgrade it, then \
             `vpnctl undrain`"
        );
    }
    match view.carries_for.as_slice() {
        [] => "something was carried within the last second".to_owned(),
        peers => format!(
            "still carries packets for {}: they, or the hosts here, have no other way or do not \
             take it",
            peers.join(", ")
        ),
    }
}

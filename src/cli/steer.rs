//! The commands that have a gateway do something.

use super::args::Common;
use super::client;
use super::gateways;
use super::look::{self, Look};
use crate::control::{Done, Request, SaKind};
use anyhow::{Context, Result};
use std::process::ExitCode;

pub(super) fn reload(common: &Common, look: Look) -> Result<ExitCode> {
    act(common, &Request::Reload, look)
}

pub(super) fn rekey(common: &Common, peer: &str, ike: bool, look: Look) -> Result<ExitCode> {
    let sa = if ike { SaKind::Ike } else { SaKind::Child };
    act(common, &Request::Rekey { peer: peer.to_owned(), sa }, look)
}

pub(super) fn initiate(common: &Common, peer: &str, look: Look) -> Result<ExitCode> {
    act(common, &Request::Initiate { peer: peer.to_owned() }, look)
}

pub(super) fn terminate(common: &Common, peer: &str, look: Look) -> Result<ExitCode> {
    act(common, &Request::Terminate { peer: peer.to_owned() }, look)
}

fn act(common: &Common, request: &Request, look: Look) -> Result<ExitCode> {
    let target = gateways::one(common)?;
    let body = client::ask(&target.socket, request)?;
    if look.json {
        look::print(&body)?;
    } else {
        let done: Done = serde_json::from_str(&body)
            .context("the gateway runs another version of vpngw than this vpnctl")?;
        look::print(&done.message)?;
    }
    Ok(ExitCode::SUCCESS)
}

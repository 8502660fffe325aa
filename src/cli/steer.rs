//! The commands that have a gateway do something.

use super::args::Common;
use super::client;
use super::gateways;
use super::look::{self, Look};
use super::view;
use crate::control::{Done, Request};
use anyhow::{Context, Result};
use std::process::ExitCode;

/// Asks the gateway that is meant, and says what it does.
pub(super) fn act(common: &Common, request: &Request, look: Look) -> Result<ExitCode> {
    let target = gateways::one(common)?;
    let body = client::ask(&target.socket, request)?;
    if look.json {
        look::print(&view::versioned(&body)?)?;
    } else {
        let done: Done = serde_json::from_str(&body)
            .context("the gateway runs another version of vpngw than this vpnctl")?;
        look::print(&done.message)?;
    }
    Ok(ExitCode::SUCCESS)
}

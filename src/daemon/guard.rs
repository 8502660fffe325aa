//! Guards against plaintext, before anything else is tried: from what can be understood of the
//! file, so that a start that fails leaves them behind, and a unit of their own can make them
//! stand before the network is up.

use super::exit::{Cause, OrFail, Outcome};
use super::files::load_or_fail;
use super::world::{Place, host, stand};
use crate::config::Outline;
use crate::config_file;
use crate::gateway::world::{Answer, Change, Host, Questions, guards};
use crate::os::file;
use std::collections::BTreeSet;
use std::path::Path;
use tracing::warn;

/// Keeps packets of the VPCs that the file names from leaving or coming in in the clear. What the
/// host refuses is logged.
///
/// # Errors
///
/// When the file cannot be read, or a guard does not stand; and when it is not valid: there may be
/// more to guard than was understood, so nobody shall turn forwarding on.
pub(super) async fn guard(path: &Path) -> Outcome<()> {
    stand_guard(&outline(path)?).await?;
    load_or_fail(path).map(drop)
}

/// What can be understood of the file.
///
/// # Errors
///
/// When it cannot be read.
pub(super) fn outline(path: &Path) -> Outcome<Outline> {
    // A pipe can be read once only, and by whom it is for.
    if file::is_open(path) {
        return Ok(Outline::default());
    }
    let contents = file::read(path, config_file::TEXT_MAX).or_fail(Cause::Configuration)?;
    Ok(Outline::of_text(&String::from_utf8_lossy(&contents.bytes)))
}

/// As [`guard`], for an outline.
pub(super) async fn stand_guard(outline: &Outline) -> Outcome<()> {
    let host = host(Questions::of(outline), BTreeSet::new()).await.unwrap_or_else(|error| {
        warn!(error = format!("{error:#}"), "the devices of the underlay are not known");
        Host::default()
    });
    let place = |(id, vpc): (&crate::net::VpcId, &crate::config::VpcOutline)| {
        (*id, Place { namespace: vpc.netns.clone(), device: vpc.tun.clone() })
    };
    let places = outline.vpcs.iter().map(place).collect();
    let mut refused = 0;
    for answer in stand(places, guards(outline, &host, &outline.listen)).await {
        if let Answer::Refused(Change::Set(wish), why) = answer {
            refused += 1;
            warn!(%wish, why, "a guard against plaintext does not stand");
        }
    }
    let all = if refused == 0 { Ok(()) } else { Err(anyhow::anyhow!("{refused} guards missing")) };
    all.or_fail(Cause::Missing)
}

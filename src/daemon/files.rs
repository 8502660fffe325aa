//! The configuration and the keys that it names, as files.

use super::exit::{Cause, OrFail, Outcome};
use crate::config::Config;
use crate::config_file;
use anyhow::{Result, anyhow};
use std::io::IsTerminal;
use std::path::Path;

/// Reads the configuration at `path` with the keys that it names; `in_colour` says whether a
/// person reads the error on a terminal.
///
/// # Errors
///
/// When the file cannot be read, or with all that is wrong in it, ready to be shown.
pub(super) fn load(path: &Path, in_colour: bool) -> Result<Config> {
    config_file::load(path).map_err(|error| anyhow!("{}", error.render(in_colour)))
}

/// As [`load`], for a start that ends when there is no valid configuration.
pub(super) fn load_or_fail(path: &Path) -> Outcome<Config> {
    load(path, std::io::stderr().is_terminal()).or_fail(Cause::Configuration)
}

//! Checks configurations without starting anything.

use super::look::{self, Look};
use crate::config::Config;
use crate::config_file::{self, LoadError};
use anyhow::Result;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `vpnctl check`: fails when one of the files is not valid.
pub(super) fn check(files: &[PathBuf], look: Look) -> Result<ExitCode> {
    let mut all_valid = true;
    for file in files {
        let loaded = config_file::load(file);
        all_valid &= loaded.is_ok();
        let text = if look.json { as_json(file, &loaded) } else { as_text(file, &loaded, look) };
        look::print(&text)?;
    }
    Ok(if all_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_text(file: &Path, loaded: &Result<Config, LoadError>, look: Look) -> String {
    match loaded {
        Ok(config) => format!("{}: {}", file.display(), summary(config, look)),
        Err(error) => error.render(look.colours),
    }
}

fn summary(config: &Config, look: Look) -> String {
    let vpcs: Vec<&str> = config.vpcs.values().map(|vpc| vpc.name.as_str()).collect();
    let peers = config.peers.len();
    format!(
        "{}: gateway {}, VPC {}, {peers} {}",
        look.paint(look::GOOD, "valid"),
        config.gateway.name,
        vpcs.join(", "),
        if peers == 1 { "peer" } else { "peers" }
    )
}

fn as_json(file: &Path, loaded: &Result<Config, LoadError>) -> String {
    let errors = match loaded {
        Ok(_) => Vec::new(),
        Err(error @ (LoadError::Unreadable { .. } | LoadError::Exposed { .. })) => {
            vec![json!({ "message": error.to_string() })]
        }
        Err(LoadError::Invalid(errors)) => errors
            .errors()
            .iter()
            .map(|error| {
                json!({
                    "line": error.line, "column": error.column,
                    "message": error.message, "help": error.help,
                })
            })
            .collect(),
    };
    json!({ "file": file, "valid": loaded.is_ok(), "errors": errors }).to_string()
}

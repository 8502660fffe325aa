//! Kernel settings under `/proc/sys/net`, which follow the network namespace of the reader.

use std::fs;

use anyhow::{Context, Result};

use super::netns;

/// Reads a setting such as `net.ipv4.ip_forward`, in a namespace or in the current one.
pub fn read(namespace: Option<&str>, key: &str) -> Result<String> {
    let file = file(key);
    let text = netns::within_or_here(namespace, || fs::read_to_string(&file))?;
    Ok(text.with_context(|| format!("reading {key}"))?.trim().to_owned())
}

/// Writes a setting.
pub fn write(namespace: Option<&str>, key: &str, value: &str) -> Result<()> {
    let file = file(key);
    netns::within_or_here(namespace, || fs::write(&file, value))?
        .with_context(|| format!("setting {key} to {value}"))
}

/// Device names may hold dots, so a key may also be written with slashes throughout.
fn file(key: &str) -> String {
    let path = if key.contains('/') { key.to_owned() } else { key.replace('.', "/") };
    format!("/proc/sys/{path}")
}

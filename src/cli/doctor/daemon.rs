//! What the gateway that runs here may do, and what it would need; or what its unit would let it.

use super::Finding;
use crate::config::Config;
use crate::os::{caps, process};
use std::path::Path;

/// Where the unit and its drop-ins stand, first those of the administrator.
const UNITS: [&str; 3] = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"];

/// Capabilities: of the daemon that runs, else as its unit says.
pub(super) fn of(config: &Config) -> Vec<Finding> {
    let needed = needed(config);
    match process::listener(Path::new(&config.gateway.control_socket)) {
        Some(pid) => running(pid, &needed),
        None => unit(&needed).into_iter().collect(),
    }
}

/// That the daemon sees another network than this process does: what is here says nothing of it.
pub(super) fn elsewhere(config: &Config) -> Option<Finding> {
    let pid = process::listener(Path::new(&config.gateway.control_socket))?;
    let network = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/net")).ok();
    let (theirs, ours) = (network(&pid.to_string())?, network("self")?);
    (theirs != ours).then(|| {
        let what =
            format!("vpngwd (process {pid}) runs in another network namespace than this vpnctl");
        Finding::bad("host", what, format!("nsenter -t {pid} -n vpnctl doctor …"))
    })
}

/// What a configuration takes, and what for.
fn needed(config: &Config) -> Vec<(caps::Capability, &'static str)> {
    let gateway = &config.gateway;
    let low_port = gateway.ike_port < 1024 || gateway.natt_port < 1024;
    let raw = config.vpcs.values().any(|vpc| !vpc.vrrp.is_empty());
    let namespaces = config.vpcs.values().any(|vpc| vpc.netns.is_some());
    let all = [
        (true, caps::NET_ADMIN, "devices, addresses and routes"),
        (low_port, caps::NET_BIND_SERVICE, "UDP port 500"),
        (raw, caps::NET_RAW, "VRRP"),
        (namespaces, caps::SYS_ADMIN, "VPCs in network namespaces"),
        (true, caps::SYS_NICE, "BFD in time on a busy host"),
    ];
    all.into_iter().filter(|one| one.0).map(|(_, capability, what)| (capability, what)).collect()
}

fn running(pid: i32, needed: &[(caps::Capability, &'static str)]) -> Vec<Finding> {
    let lacking = needed.iter().filter(|(capability, _)| !caps::has(pid, *capability));
    let findings: Vec<Finding> = lacking
        .map(|(capability, what)| {
            Finding::bad(
                "capabilities",
                format!("vpngwd (process {pid}) has no {capability}, which it needs for {what}"),
                format!(
                    "AmbientCapabilities={capability} and CapabilityBoundingSet={capability} in the unit \
                     (systemctl edit vpngwd), then systemctl restart vpngwd"
                ),
            )
        })
        .collect();
    if findings.is_empty() {
        let what = format!("vpngwd (process {pid}) has all that it needs");
        return vec![Finding::good("capabilities", what)];
    }
    findings
}

/// What the unit does not grant, where there is one.
fn unit(needed: &[(caps::Capability, &'static str)]) -> Option<Finding> {
    let texts = UNITS.iter().flat_map(|folder| texts(Path::new(folder))).collect::<Vec<String>>();
    if texts.is_empty() {
        return None;
    }
    let granted = |capability: &caps::Capability| {
        let name = capability.to_string();
        let lines = texts.iter().flat_map(|text| text.lines());
        let mut lines = lines.filter(|line| line.starts_with("AmbientCapabilities="));
        lines.any(|line| line.split(['=', ' ']).any(|word| word == name))
    };
    let (capability, what) = needed.iter().find(|(capability, _)| !granted(capability))?;
    let remedy = match *capability == caps::SYS_ADMIN {
        true => "install -D -m 644 /usr/share/doc/vpngw/vpngwd-netns.conf \
                 /etc/systemd/system/vpngwd.service.d/netns.conf && systemctl daemon-reload"
            .to_owned(),
        false => format!("AmbientCapabilities={capability} in the unit (systemctl edit vpngwd)"),
    };
    let what = format!("the unit vpngwd.service grants no {capability}, needed for {what}");
    Some(Finding::bad("capabilities", what, remedy))
}

/// The unit in a folder, and its drop-ins.
fn texts(folder: &Path) -> Vec<String> {
    let unit = folder.join("vpngwd.service");
    let drop_ins = std::fs::read_dir(folder.join("vpngwd.service.d"));
    let drop_ins = drop_ins.into_iter().flatten().flatten().map(|entry| entry.path());
    let conf = drop_ins.filter(|path| path.extension().is_some_and(|end| end == "conf"));
    std::iter::once(unit)
        .chain(conf)
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect()
}

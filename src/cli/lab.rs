//! The lab on the command line; what it is and does lives in [`crate::lab`].

use super::args::{Choice, LabCommand, LabFiles, Switch};
use super::client;
use super::look::{self, BAD, FAINT, GOOD, Look, STRONG};
use super::objects::{Healed, LabGateway, LabStatus, Message};
use super::sheet::{Cell, Sheet, Tone};
use super::show;
use super::view;
use crate::control::Request;
use crate::lab::{DEFAULT_PREFIX, Deployment, GatewayStatus, Lab, Settings, ovs};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

/// Logs of the daemons; cleared with the machine's next start, as is the lab.
const LOGS: &str = "/run/vpngw-lab/logs";

pub(super) fn run(command: &LabCommand, look: Look) -> Result<ExitCode> {
    match command {
        LabCommand::Up(files) => up(files, look),
        LabCommand::Down => down(look),
        LabCommand::Status => status(look),
        LabCommand::Exec { node, argv } => Ok(exit_code(open()?.exec(node, argv)?)),
        LabCommand::Fail { at, kind } => {
            open()?.fail(*kind, at)?;
            say(look, &format!("{at}: {}", kind.summary()))
        }
        LabCommand::Heal { at } => heal(at.as_deref(), look),
    }
}

fn open() -> Result<Lab> {
    Lab::open(DEFAULT_PREFIX)
}

fn say(look: Look, sentence: &str) -> Result<ExitCode> {
    match look.json {
        true => look::print_json(&Message { message: sentence.to_owned() })?,
        false => look::print(sentence)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(files: &LabFiles, look: Look) -> Result<ExitCode> {
    let settings = settings(files)?;
    let mut failed = None;
    let mut tell = |step: &str| {
        if !look.json {
            failed = look::print(&look.paint(FAINT, step)).err();
        }
    };
    let lab = Lab::up(settings, &mut tell)?;
    match failed {
        Some(error) => Err(error),
        None => show_all(&lab, look),
    }
}

/// All gateways' peers, and what to try next.
fn show_all(lab: &Lab, look: Look) -> Result<ExitCode> {
    let (all, aligned) = (Choice::default(), look.aligned());
    for gateway in lab.status() {
        let socket = lab.control_socket(&gateway.name)?;
        let body = client::ask(Path::new(&socket), &Request::Peers)?;
        match look.json {
            true => look::print(&view::versioned(&body)?)?,
            false => look::print(&format!(
                "\n{}",
                show::peers(&serde_json::from_str(&body)?, &all, aligned)
            ))?,
        }
    }
    if !look.json {
        look::print(&next_steps(lab.settings().deployment, look))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn next_steps(deployment: Deployment, look: Look) -> String {
    let step = |command: &str, what: &str| {
        format!("  {}{what}", look.paint(STRONG, &format!("{command:58}")))
    };
    let host = match deployment {
        Deployment::Reference => "host",
        Deployment::Compute | Deployment::Ovs => "red",
    };
    let ping = format!("vpnctl lab exec east-{host}-a -- ping 10.2.1.10");
    let steps = [
        String::new(),
        "The three regions are connected. Try:".to_owned(),
        step(&ping, "from East to North China"),
        step("vpnctl lab fail east-a", "kill a gateway: the ping goes on"),
        step("vpnctl peers --watch", "what the gateways see"),
        step("vpnctl lab heal", "start it again"),
        step("vpnctl lab down", "remove everything"),
    ];
    steps.join("\n")
}

fn settings(files: &LabFiles) -> Result<Settings> {
    let (deployment, folder) = match (files.compute, files.switch) {
        (false, _) => (Deployment::Reference, "configs"),
        (true, Switch::Linux) => (Deployment::Compute, "configs/compute"),
        (true, Switch::Ovs) => (Deployment::Ovs, "configs/compute"),
    };
    if deployment == Deployment::Ovs && !ovs::is_installed() {
        bail!("Open vSwitch is not installed: apt install openvswitch-switch");
    }
    let configs = files.configs.clone().unwrap_or_else(|| folder.into());
    let config_dir = configs.canonicalize().with_context(|| {
        format!(
            "there is no folder {}; run this in the repository, or say --configs FOLDER",
            configs.display()
        )
    })?;
    // Where the files of the deployment say that they are.
    let above = if files.compute { config_dir.parent() } else { Some(config_dir.as_path()) };
    let keys_dir = above.unwrap_or(&config_dir).with_file_name("keys");
    std::fs::create_dir_all(&keys_dir)
        .with_context(|| format!("creating {}", keys_dir.display()))?;
    Ok(Settings {
        prefix: DEFAULT_PREFIX.to_owned(),
        config_dir,
        keys_dir,
        state_dir: PathBuf::from(LOGS),
        vpngwd: daemon(files.vpngwd.as_deref())?,
        deployment,
    })
}

/// The daemon's program: as said, else beside this one.
fn daemon(said: Option<&Path>) -> Result<PathBuf> {
    let program = match said {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name("vpngwd"),
    };
    if !program.is_file() {
        bail!(
            "there is no {}; build it with `cargo build --release`, or say --vpngwd PROGRAM",
            program.display()
        );
    }
    Ok(program)
}

fn down(look: Look) -> Result<ExitCode> {
    crate::lab::remove(DEFAULT_PREFIX)?;
    say(look, "the lab is down")
}

fn heal(gateway: Option<&str>, look: Look) -> Result<ExitCode> {
    let healed = open()?.heal(gateway)?;
    if look.json {
        look::print_json(&Healed { healed })?;
        return Ok(ExitCode::SUCCESS);
    }
    for fault in &healed {
        look::print(&format!("{}: {} is over", fault.gateway, fault.kind))?;
    }
    if healed.is_empty() {
        look::print("nothing was broken")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status(look: Look) -> Result<ExitCode> {
    let gateways = open()?.status();
    if look.json {
        let gateways = gateways.iter().map(as_object).collect();
        look::print_json(&LabStatus { gateways })?;
    } else {
        look::print(&table(&gateways, look))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_object(gateway: &GatewayStatus) -> LabGateway {
    let pid = gateway.process.map(|process| process.pid());
    LabGateway { name: gateway.name.clone(), pid, faults: gateway.faults.clone() }
}

fn table(gateways: &[GatewayStatus], look: Look) -> String {
    let mut sheet = Sheet::new(&["GATEWAY", "DAEMON", "BROKEN"]);
    for gateway in gateways {
        let daemon = match gateway.process {
            Some(process) => Cell::from(format!("runs as {}", process.pid())).tone(Tone::Good),
            None => Cell::from("does not run").tone(Tone::Bad),
        };
        let faults: Vec<String> = gateway.faults.iter().map(ToString::to_string).collect();
        let broken = (!faults.is_empty()).then(|| faults.join(", "));
        sheet.row([gateway.name.as_str().into(), daemon, Cell::optional(broken)]);
    }
    let whole =
        gateways.iter().all(|gateway| gateway.process.is_some() && gateway.faults.is_empty());
    let verdict = match whole {
        true => look.paint(GOOD, "everything runs"),
        false => look.paint(BAD, "something is broken; `vpnctl lab heal` repairs it"),
    };
    let look = if look.for_people() { look.aligned() } else { look };
    if look.aligned { format!("{}\n{verdict}", sheet.render(look)) } else { sheet.render(look) }
}

/// The exit code of a program that ran in the lab; 128 and the signal when one ended it, as
/// shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let signalled = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(signalled).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

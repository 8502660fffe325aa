use super::args::Args;
use super::args::{Command, LabCommand};
use crate::lab::FaultKind;
use clap::{CommandFactory, Parser};
use std::time::Duration;

fn parse(line: &str) -> Result<Args, clap::Error> {
    Args::try_parse_from(line.split(' '))
}

#[test]
fn the_arguments_fit_together() {
    Args::command().debug_assert();
}

#[test]
fn options_stand_before_or_after_the_command() {
    for line in ["vpnctl -g east-a --json peers", "vpnctl peers -g east-a --json"] {
        let args = parse(line).unwrap();
        assert_eq!(args.common.gateway.as_deref(), Some("east-a"));
        assert!(args.common.json);
    }
}

#[test]
fn watching_takes_an_optional_pause() {
    let pause = |line: &str| match parse(line).unwrap().command {
        Command::Routes { watch } => watch.watch,
        other => panic!("{other:?}"),
    };
    assert_eq!(pause("vpnctl routes"), None);
    assert_eq!(pause("vpnctl routes --watch"), Some(Duration::from_secs(1)));
    assert_eq!(pause("vpnctl routes -w 0.5"), Some(Duration::from_millis(500)));
    assert!(parse("vpnctl routes -w 0").is_err());
    assert!(parse("vpnctl routes -w soon").is_err());
}

#[test]
fn a_socket_and_a_name_exclude_each_other() {
    assert!(parse("vpnctl --socket /run/x.sock -g east-a peers").is_err());
}

#[test]
fn failures_are_named_as_the_lab_names_them() {
    let kind = |line: &str| match parse(line).unwrap().command {
        Command::Lab { command: LabCommand::Fail { kind, .. } } => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind("vpnctl lab fail east-a"), FaultKind::Kill);
    for known in FaultKind::ALL {
        assert_eq!(kind(&format!("vpnctl lab fail east-a {known}")), known);
    }
    assert!(parse("vpnctl lab fail east-a earthquake").is_err());
}

#[test]
fn a_program_in_the_lab_keeps_its_arguments() {
    for line in [
        "vpnctl lab exec east-host-a -- ping -c 1 10.2.1.10",
        "vpnctl lab exec east-host-a ping -c 1 10.2.1.10",
    ] {
        let Command::Lab { command: LabCommand::Exec { node, argv } } =
            parse(line).unwrap().command
        else {
            panic!("{line}")
        };
        assert_eq!(node, "east-host-a");
        assert_eq!(argv, ["ping", "-c", "1", "10.2.1.10"]);
    }
}

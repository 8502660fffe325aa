use super::*;
use crate::cli::look::tests::PLAIN;
use crate::random::Seeded;
use std::os::unix::fs::PermissionsExt;

fn args(config: &Path) -> InitArgs {
    InitArgs {
        name: Some("berlin".to_owned()),
        prefix: vec!["192.168.10.0/24".to_owned()],
        asn: None,
        listen: vec!["198.51.100.10".parse().unwrap()],
        vpc: "main".to_owned(),
        interface: Some("lan0".to_owned()),
        config: config.to_owned(),
    }
}

#[test]
fn what_is_written_is_a_configuration_with_comments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vpngw.toml");
    init(&args(&path), PLAIN).unwrap();
    let config = config_file::load(&path).unwrap();
    assert_eq!(config.gateway.name, "berlin");
    assert!(PRIVATE_ASNS.contains(&config.gateway.asn.unwrap().0));
    assert_eq!(config.vpcs.values().next().unwrap().interface.as_deref(), Some("lan0"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().filter(|line| line.starts_with('#')).count() >= 6, "{text}");
    let key = std::fs::metadata(folder.path().join("gateway.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o077, 0);
    let again = init(&args(&path), PLAIN).unwrap_err();
    assert!(again.to_string().contains("exists already"), "{again}");
}

#[test]
fn what_is_wrong_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vpngw.toml");
    let wrong = InitArgs { prefix: vec!["192.168.10.0".to_owned()], ..args(&path) };
    let error = init(&wrong, PLAIN).unwrap_err().to_string();
    assert!(error.contains("192.168.10.0"), "{error}");
    let wrong = InitArgs { name: Some("two \" words".to_owned()), ..args(&path) };
    assert!(init(&wrong, PLAIN).unwrap_err().to_string().contains("cannot be a name"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_not_said_is_what_the_host_suggests() {
    let host = Surroundings {
        name: "paris".to_owned(),
        source: Some("198.51.100.7".parse().unwrap()),
        networks: vec![("10.9.0.0/24".parse().unwrap(), "eth1".to_owned())],
    };
    let asked = InitArgs {
        name: None,
        prefix: Vec::new(),
        listen: Vec::new(),
        interface: None,
        ..args(Path::new("x"))
    };
    let answers = answers(&asked, &host, &mut Seeded::new(1)).unwrap();
    assert_eq!((answers.name.as_str(), answers.interface.as_deref()), ("paris", Some("eth1")));
    assert_eq!(answers.prefixes, ["10.9.0.0/24"]);
    assert_eq!(answers.listen, ["198.51.100.7".parse::<IpAddr>().unwrap()]);
    let invitation = invitation(&answers, "KEY");
    let beginning = "vpnctl peer add paris --address 198.51.100.7 --asn 42";
    assert!(
        invitation.starts_with(beginning) && invitation.ends_with(" --accept 10.9.0.0/24"),
        "{invitation}"
    );
    let nothing = super::answers(&asked, &Surroundings::default(), &mut Seeded::new(1));
    assert!(nothing.unwrap_err().to_string().contains("--prefix"));
}

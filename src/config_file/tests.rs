use super::*;
use crate::config::{Config, KeyFile, KeyFiles, Routing};
use crate::crypto::digest::sha256;
use crate::crypto::sign::SigningKey;
use std::collections::BTreeMap;

const GATEWAYS: [&str; 6] = ["east-a", "east-b", "north-a", "north-b", "south-a", "south-b"];

/// Has every key that a configuration may name, each made from its name.
struct AnyKey;

impl KeyFiles for AnyKey {
    fn read(&self, path: &str) -> Result<KeyFile, String> {
        let path = Path::new(path);
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("no name")?;
        let key = SigningKey::from_seed(&sha256(&[name.as_bytes()]));
        let contents = match path.extension().and_then(|extension| extension.to_str()) {
            Some("key") => key.to_pkcs8_pem().to_string(),
            Some("pub") => key.verifying_key().to_base64(),
            Some("psk") => "a shared secret of some length".to_owned(),
            _ => return Err("not the name of a key".to_owned()),
        };
        Ok(KeyFile {
            mode: 0o600,
            wanted: 0o600,
            stranger: None,
            contents: Secret::copy_of(contents.as_bytes()),
        })
    }
}

fn shipped() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn reference() -> BTreeMap<String, Config> {
    let parse = |name: &str| match config::parse(&shipped()[name], name, &AnyKey) {
        Ok(config) => (name.to_owned(), config),
        Err(errors) => panic!("{errors}"),
    };
    GATEWAYS.into_iter().map(parse).collect()
}

#[test]
fn every_shipped_configuration_is_valid() {
    let files = shipped();
    assert!(files.len() >= GATEWAYS.len() + 3, "{:?}", files.keys());
    for (name, text) in files {
        if let Err(errors) = config::parse(&text, &name, &AnyKey) {
            panic!("{errors}");
        }
    }
}

#[test]
fn the_reference_gateways_agree_with_each_other() {
    let gateways = reference();
    for (name, config) in &gateways {
        assert_eq!(&config.gateway.name, name);
        assert_eq!(config.peers.len(), 4, "{name} peers with the other two regions");
        for peer in config.peers.values() {
            let other = &gateways[&peer.name];
            let (_, back) = other.peer_named(name).expect("peering is mutual");
            assert_eq!(peer.remote_address, Some(other.gateway.listen[0]));
            assert_eq!(peer.accept, other.vpcs[&back.vpc].prefixes);
            let (Routing::Bgp(ours), Routing::Bgp(theirs)) = (&peer.routing, &back.routing) else {
                panic!("{name} and {} speak BGP", peer.name);
            };
            assert_eq!(Some(ours.remote_asn), other.gateway.asn);
            assert_eq!(
                (ours.inside_local, ours.inside_remote),
                (theirs.inside_remote, theirs.inside_local)
            );
        }
    }
}

#[test]
fn siblings_share_their_virtual_addresses() {
    let gateways = reference();
    for region in ["east", "north", "south"] {
        let vrrp = |zone: &str| {
            let config = &gateways[&format!("{region}-{zone}")];
            config.vpcs.values().next().unwrap().vrrp[0].clone()
        };
        let (first, second) = (vrrp("a"), vrrp("b"));
        assert!(first.priority > second.priority);
        assert_eq!(first.vrid, second.vrid);
        assert_eq!((&first.ipv4, &first.ipv6), (&second.ipv4, &second.ipv6));
    }
}

const WITH_SECRET: &str = "[gateway]\nname = \"a\"\n\
    [[vpc]]\nname = \"v\"\nprefixes = [\"10.1.0.0/16\"]\n\
    [[peer]]\nname = \"b\"\nremote_address = \"192.0.2.1\"\n\
    psk_file = \"b.psk\"\nstatic_routes = [\"10.2.0.0/16\"]\n";

#[test]
fn keys_are_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, WITH_SECRET).unwrap();
    let missing = load(&file).unwrap_err().to_string();
    assert!(missing.contains("b.psk cannot be read: there is no such file"), "{missing}");

    crate::os::file::write_new(&folder.path().join("b.psk"), b"0123456789abcdef", 0o600).unwrap();
    assert_eq!(load(&file).unwrap().peers.len(), 1);
}

#[test]
fn a_missing_configuration_is_one_sentence() {
    let error = load(Path::new("/nowhere/gateway.toml")).unwrap_err();
    let sentence = "the configuration /nowhere/gateway.toml cannot be read: there is no such file";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn a_configuration_that_anybody_may_change_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, WITH_SECRET).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = load(&file).unwrap_err().to_string();
    assert!(said.contains("anybody may change") && said.contains("chmod o-w"), "{said}");
}

#[test]
fn the_owner_of_a_key_is_root_or_ourselves_or_the_owner_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("b.psk");
    file::write_new(&key, b"0123456789abcdef", 0o600).unwrap();
    let own = geteuid().as_raw();
    let stranger = |owner| {
        let keys = KeysOnDisk { folder: folder.path().to_owned(), owner, service: None };
        keys.read_key(&key).unwrap().stranger
    };
    assert_eq!(stranger(own), None);
    if std::os::unix::fs::chown(&key, Some(own + 1), None).is_ok() {
        assert_eq!(stranger(own), Some(own + 1));
        assert_eq!(stranger(own + 1), None);
    }
}

#[test]
fn a_configuration_is_a_file_or_an_open_pipe_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in [fifo.as_path(), Path::new("/dev/zero"), folder.path()] {
        let error = load(path).unwrap_err().to_string();
        assert!(error.contains("it is not a regular file"), "{error}");
    }
    let (reading, mut writing) = io::pipe().unwrap();
    std::io::Write::write_all(&mut writing, b"[gateway]\n").unwrap();
    drop(writing);
    let open = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reading));
    assert_eq!(text(Path::new(&open)).unwrap(), "[gateway]\n");
    let large = folder.path().join("large");
    std::fs::File::create(&large).unwrap().set_len(TEXT_MAX + 1).unwrap();
    assert!(text(&large).unwrap_err().to_string().contains("larger"));
}

use super::*;
use crate::cli::look::tests::PLAIN;
use crate::crypto::sign::SigningKey;
use std::os::unix::fs::PermissionsExt;

const FILE: &str = r#"# Ours.
[gateway]
name = "berlin"   # of the city
asn = 64512
private_key = "gateway.key"

# What is behind it.
[[vpc]]
name = "office"
prefixes = ["192.168.10.0/24"]

# The first peer.
[[peer]]
name = "lisbon"
remote_address = "198.51.100.20"
psk_file = "lisbon.psk"
static_routes = ["192.168.20.0/24"]   # behind it

# How tunnels are run.
[defaults]
hold_time = "9s"
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("vpngw.toml", FILE);
        write("gateway.key", &SigningKey::from_seed(&[1; 32]).to_pkcs8_pem());
        write("lisbon.psk", "0123456789abcdef0123");
        Place(folder)
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("vpngw.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    fn peer(&self, name: &str) -> PeerArgs {
        PeerArgs {
            name: name.to_owned(),
            address: "198.51.100.30".to_owned(),
            public_key: Some(SigningKey::from_seed(&[2; 32]).verifying_key().to_base64()),
            public_key_file: None,
            psk_file: None,
            new_psk: false,
            asn: Some(64514),
            accept: vec!["192.168.30.0/24".to_owned()],
            route: Vec::new(),
            vpc: None,
            identity: None,
            preset: None,
            config: self.config(),
        }
    }

    fn add(&self, args: PeerArgs) -> Result<ExitCode> {
        run(&PeerCommand::Add(Box::new(args)), PLAIN)
    }

    fn remove(&self, name: &str) -> Result<ExitCode> {
        run(&PeerCommand::Remove { name: name.to_owned(), config: self.config() }, PLAIN)
    }
}

#[test]
fn a_peer_comes_and_goes_and_the_rest_of_the_file_stays() {
    let place = Place::new();
    place.add(place.peer("madrid")).unwrap();
    let text = place.text();
    assert_eq!(config_file::load(&place.config()).unwrap().peers.len(), 2);
    for line in FILE.lines() {
        assert!(text.lines().any(|other| other == line), "{line:?} has gone from {text}");
    }
    assert!(
        text.contains("\n\n[[peer]]\nname = \"madrid\"\nremote_address = \"198.51.100.30\"\n"),
        "{text}"
    );
    place.remove("madrid").unwrap();
    assert_eq!(place.text(), FILE);
    let mode = fs::metadata(place.config()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the mode stays, too");
}

#[test]
fn the_last_peer_goes_with_its_comment() {
    let place = Place::new();
    place.remove("lisbon").unwrap();
    let text = place.text();
    assert!(!text.contains("The first peer") && !text.contains("[[peer]]"), "{text}");
    assert!(text.contains("# How tunnels are run.\n[defaults]"), "{text}");
    place.add(place.peer("madrid")).unwrap();
    assert_eq!(config_file::load(&place.config()).unwrap().peers.len(), 1);
}

#[test]
fn what_is_not_valid_is_not_written() {
    let place = Place::new();
    for (args, words) in [
        (place.peer("lisbon"), "already"),
        (
            PeerArgs { accept: vec!["192.168.30.0".to_owned()], ..place.peer("madrid") },
            "stays as it was",
        ),
        (PeerArgs { asn: Some(0), ..place.peer("madrid") }, "stays as it was"),
        (
            PeerArgs {
                public_key: None,
                psk_file: Some("none.psk".to_owned()),
                ..place.peer("madrid")
            },
            "none.psk",
        ),
        (PeerArgs { new_psk: true, ..place.peer("madrid") }, "stays as it was"),
    ] {
        let error = format!("{:#}", place.add(args).unwrap_err());
        assert!(error.contains(words), "{error}");
        assert_eq!(place.text(), FILE);
    }
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 3, "nothing is left behind");
    assert!(place.remove("madrid").unwrap_err().to_string().contains("the peers are: lisbon"));
}

#[test]
fn a_secret_is_made_for_a_peer_that_needs_one() {
    let place = Place::new();
    let args = PeerArgs { public_key: None, new_psk: true, ..place.peer("madrid") };
    place.add(args).unwrap();
    assert!(place.text().contains("psk_file = \"madrid.psk\""));
    let secret = fs::metadata(place.0.path().join("madrid.psk")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_link_stays_a_link() {
    let place = Place::new();
    let link = place.0.path().join("link.toml");
    std::os::unix::fs::symlink(place.config(), &link).unwrap();
    place.add(PeerArgs { config: link.clone(), ..place.peer("madrid") }).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(place.text().contains("madrid"));
}

#[test]
fn line_ends_stay_as_they_are() {
    let place = Place::new();
    let windows = FILE.replace('\n', "\r\n");
    fs::write(place.config(), &windows).unwrap();
    place.add(place.peer("madrid")).unwrap();
    let text = place.text();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");
    assert!(text.contains("madrid"));
    place.remove("madrid").unwrap();
    assert_eq!(place.text(), windows);
    let mixed = FILE.replacen('\n', "\r\n", 3);
    fs::write(place.config(), &mixed).unwrap();
    place.add(place.peer("madrid")).unwrap();
    place.remove("madrid").unwrap();
    assert_eq!(place.text(), mixed, "what is not changed keeps its own");
}

use super::*;

fn in_folder(folder: &Path) -> StandingFile {
    StandingFile { path: place(&folder.join("east-a.sock"), "") }
}

#[test]
fn what_was_said_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = in_folder(folder.path());
    assert_eq!(file.read().unwrap(), Standing::default());
    let said = Standing { drained: true, disabled: ["north-a".to_owned()].into() };
    file.write(&said).unwrap();
    assert_eq!(file.read().unwrap(), said);
    file.write(&Standing::default()).unwrap();
    assert_eq!(file.read().unwrap(), Standing::default());
}

#[test]
fn a_file_that_is_not_understood_is_named_and_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = in_folder(folder.path());
    for text in ["", "drained", "{\"drained\": true}", "{\"drained\":true,\"disabled\":[],\"x\":1}"]
    {
        std::fs::write(folder.path().join("east-a.state"), text).unwrap();
        let failure = file.read().unwrap_err();
        assert_eq!(failure.cause, Cause::Configuration, "{text}");
        assert!(failure.to_string().contains("east-a.state"), "{failure}");
    }
}

#[test]
fn the_first_state_folder_is_preferred_to_the_place_of_the_socket() {
    let socket = Path::new("/run/vpngw/east-a.sock");
    let at = |folders| place(socket, folders).display().to_string();
    assert_eq!(at(""), "/run/vpngw/east-a.state");
    assert_eq!(at("/var/lib/vpngw"), "/var/lib/vpngw/east-a.state");
    assert_eq!(at("/var/lib/vpngw:/var/lib/other"), "/var/lib/vpngw/east-a.state");
}

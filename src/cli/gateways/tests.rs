use super::super::args::ColorChoice;
use super::*;

fn common(socket: Option<&str>, gateway: Option<&str>) -> Common {
    Common {
        socket: socket.map(PathBuf::from),
        gateway: gateway.map(str::to_owned),
        pid: None,
        json: false,
        format: None,
        color: ColorChoice::Never,
    }
}

#[test]
fn sockets_are_found_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["south-a.sock", "east-b.sock", "notes.txt", "east-a.sock"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let found: Vec<String> =
        found(folder.path()).unwrap().into_iter().map(|target| target.name).collect();
    assert_eq!(found, ["east-a", "east-b", "south-a"]);
}

#[test]
fn the_process_behind_a_socket_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let listening = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(process::listener(&path), i32::try_from(std::process::id()).ok());
    drop(listening);
    assert_eq!(process::listener(&path), None);
}

#[test]
fn a_missing_folder_holds_no_gateway() {
    assert_eq!(found(Path::new("/nowhere/vpngw")).unwrap(), []);
}

#[test]
fn a_chosen_gateway_is_the_only_one() {
    let by_name = one(&common(None, Some("east-a"))).unwrap();
    assert_eq!(by_name.socket, PathBuf::from("/run/vpngw/east-a.sock"));
    let by_path = one(&common(Some("/tmp/x.sock"), None)).unwrap();
    assert_eq!((by_path.name.as_str(), by_path.socket), ("x", PathBuf::from("/tmp/x.sock")));
}

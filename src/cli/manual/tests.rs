use super::*;

#[test]
fn every_command_and_every_document_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    pages(folder.path()).unwrap();
    for page in ["man1/vpnctl.1", "man1/vpnctl-peers.1", "man1/vpnctl-ca-issue.1"] {
        assert!(folder.path().join(page).is_file(), "{page}");
    }
    let text = std::fs::read_to_string(folder.path().join("man5/vpngw.toml.5")).unwrap();
    assert!(text.contains("\n.B underlay_mtu\n"), "every key has an entry");
    assert!(folder.path().join("man7/vpngw-events.7").is_file());
}

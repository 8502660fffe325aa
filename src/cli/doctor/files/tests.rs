use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn files_are_named_in_every_section() {
    let text = "[gateway]\nprivate_key = \"a.key\"\nca = [\"1.crt\", \"2.crt\"]\n[[peer]]\npsk_file = \"b\"\n[[peer]]\npublic_key_file = \"c\"\n\
                name = \"d\"\n[peer.vpc.red]\npsk_file = \"e\"";
    assert_eq!(named_in(text), ["1.crt", "2.crt", "a.key", "b", "c", "e"]);
}

#[test]
fn what_keeps_the_service_from_a_file_is_the_file_or_a_folder_on_the_way() {
    let nobody = Account::named("nobody").unwrap();
    let top = tempfile::tempdir().unwrap();
    let (folder, file) = (top.path().join("keys"), top.path().join("keys/a.key"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(&file, "secret").unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let remedy = || judge(&file, &nobody).and_then(|finding| finding.remedy).unwrap_or_default();
    mode(top.path(), 0o755);
    mode(&folder, 0o755);
    mode(&file, 0o600);
    assert!(remedy().contains("chown root:nobody"), "{}", remedy());
    mode(&file, 0o644);
    mode(&folder, 0o700);
    assert!(remedy().contains("chmod g+x") && remedy().contains("keys"), "{}", remedy());
    mode(&folder, 0o755);
    assert_eq!(judge(&file, &nobody), None);
    let missing = judge(&folder.join("none"), &nobody).unwrap();
    assert!(missing.what.contains("No such file"), "{missing:?}");
}

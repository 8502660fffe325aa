use super::*;
use crate::testing::deployment;

/// It is a file system that may not answer, and nobody waits for it.
#[test]
fn the_thread_ends_with_whoever_started_it() {
    let (watch, mut finds) = PaperWatch::start(Path::new("/nowhere/vpngw.toml")).unwrap();
    drop(watch);
    assert!(finds.blocking_recv().is_none());
}

#[test]
fn what_was_read_for_a_configuration_of_before_is_not_wanted() {
    let (mut watch, _finds) = PaperWatch::start(Path::new("/nowhere/vpngw.toml")).unwrap();
    let config = &deployment::pair().configs[0];
    watch.watch(config);
    let files = PaperFiles::Trust { authorities: Vec::new(), lists: Vec::new() };
    let found = "unreadable".to_owned();
    let paper = FoundPaper { generation: 1, files: Arc::new(files), found: Err(found) };
    assert!(watch.wants(&paper));
    watch.watch(config);
    assert!(!watch.wants(&paper));
}

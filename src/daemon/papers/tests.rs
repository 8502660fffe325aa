use super::*;

/// It is a file system that may not answer, and nobody waits for it.
#[test]
fn the_thread_ends_with_whoever_started_it() {
    let (watch, mut finds) = PaperWatch::start(Path::new("/nowhere/vpngw.toml")).unwrap();
    drop(watch);
    assert!(finds.blocking_recv().is_none());
}

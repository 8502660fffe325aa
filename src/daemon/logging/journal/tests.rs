use super::*;
use std::collections::BTreeMap;
use tracing_subscriber::layer::SubscriberExt;

/// What the journal gets of what is logged.
fn written(log: impl FnOnce()) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixDatagram::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let subscriber = tracing_subscriber::registry().with(Journal::at(&path).unwrap());
    tracing::subscriber::with_default(subscriber, log);
    let mut buffer = vec![0; 1 << 17];
    let length = listener.recv(&mut buffer).unwrap();
    fields(&buffer[..length])
}

fn fields(mut datagram: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while let Some(end) = datagram.iter().position(|octet| *octet == b'\n') {
        let (name, rest) = datagram.split_at(end);
        let (length, rest) = rest[1..].split_first_chunk().unwrap();
        let (value, rest) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        fields.insert(text(name), text(value));
        datagram = rest.strip_prefix(b"\n").unwrap();
    }
    fields
}

#[test]
fn the_text_says_what_the_fields_say() {
    let line = written(|| tracing::warn!(wish = "route", why = %"no such device", "refused"));
    assert_eq!(line["MESSAGE"], "refused: wish=route, why=no such device");
    assert_eq!(line["PRIORITY"], "4");
    assert_eq!(line["F_WHY"], "no such device");
    assert_eq!(line["SYSLOG_IDENTIFIER"], "vpngwd");
}

#[test]
fn a_journal_that_is_behind_holds_nothing_up() {
    let line = written(|| (0..100_000).for_each(|number| tracing::info!(number, "goes on")));
    assert_eq!(line["MESSAGE"], "goes on: number=0");
}

#[test]
fn nothing_is_said_twice() {
    let line = written(|| {
        tracing::info!(peer = "east-a", code = "connected", mtu = 1400, "east-a: carries 1400");
    });
    assert_eq!(line["MESSAGE"], "east-a: carries 1400");
    assert_eq!(
        (&*line["F_PEER"], &*line["F_CODE"], &*line["PRIORITY"]),
        ("east-a", "connected", "6")
    );
}

#[test]
fn lines_may_hold_anything_and_are_bounded() {
    let line = written(|| tracing::error!("one\ntwo=3\n"));
    assert_eq!((&*line["MESSAGE"], &*line["PRIORITY"]), ("one\ntwo=3\n", "3"));
    let long = "x".repeat(1 << 20);
    let line = written(|| tracing::debug!("{long}"));
    assert_eq!((line["MESSAGE"].len(), &*line["PRIORITY"]), (MOST, "7"));
}

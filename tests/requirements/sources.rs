//! The tests that there are.

use super::demands::SOURCE;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The path of every test as `cargo test` names it, and the file in which it stands; those of
/// `netns-tests/` begin with `netns::`.
pub(crate) fn tests() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (folder, prefix) in [("src", ""), ("netns-tests", "netns::")] {
        for path in files(&Path::new(SOURCE).join(folder)) {
            let module = format!("{prefix}{}", module(&path, folder));
            let name = path.strip_prefix(SOURCE).unwrap().display().to_string();
            let text = fs::read_to_string(&path).unwrap();
            all.extend(functions(&text).map(|test| (format!("{module}::{test}"), name.clone())));
        }
    }
    all
}

/// `src/ike/sa/mod.rs` is `ike::sa`.
fn module(path: &Path, folder: &str) -> String {
    let inside = path.strip_prefix(Path::new(SOURCE).join(folder)).unwrap().with_extension("");
    let parts = inside.iter().map(|part| part.to_str().unwrap());
    parts.filter(|part| *part != "mod").collect::<Vec<_>>().join("::")
}

/// The functions that stand below `#[test]`.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        let name = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')).map(|two| two.0);
        match name {
            Some(name) => std::mem::take(&mut is_test).then_some(name),
            None => {
                is_test |= line == "#[test]";
                None
            }
        }
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    let all = entries.into_iter().flat_map(below);
    all.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

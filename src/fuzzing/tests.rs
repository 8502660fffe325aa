//! Replays the committed corpora; CI has no fuzzer.

mod seeds;

use super::TARGETS;
use std::fs;
use std::path::PathBuf;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

#[test]
fn every_corpus_file_keeps_the_promises_of_its_target() {
    for (name, target) in TARGETS {
        let entries = fs::read_dir(corpus(name)).unwrap_or_else(|e| panic!("corpus {name}: {e}"));
        let mut replayed = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            // Named before it runs, so that a panic below says which file it was.
            println!("{}", path.display());
            target(&bytes);
            replayed += 1;
        }
        assert!(replayed > 0, "fuzz/corpus/{name} is empty");
    }
}

#[test]
fn every_target_has_a_binary_for_the_fuzzer() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let binary = fs::read_to_string(root.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(binary.contains(&format!("vpngw::fuzzing::{name}(")), "{name}.rs");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} in Cargo.toml");
    }
}

#[test]
fn short_inputs_of_every_kind_keep_the_promises() {
    for (_, target) in TARGETS {
        target(&[]);
        for octet in 0..=u8::MAX {
            for len in [1, 4, 8, 28, 64] {
                target(&vec![octet; len]);
            }
        }
    }
}

/// Writes the seeds anew: `cargo test --lib fuzzing -- --ignored`.
#[test]
#[ignore = "writes fuzz/corpus"]
fn seeds_are_written() {
    for (target, name, bytes) in seeds::all() {
        let folder = corpus(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
}

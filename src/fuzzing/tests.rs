//! Replays the committed corpora; CI has no fuzzer.

mod seeds;

use super::{SLOW_TARGETS, TARGETS, Target};
use crate::random::{Random, Seeded};
use std::fs;
use std::path::PathBuf;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

#[test]
fn every_corpus_file_keeps_the_promises_of_its_target() {
    for (name, target) in all() {
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

/// A fuzzer without memory: seeded, so that a failure comes back. `FUZZ_ROUNDS` makes it longer.
#[test]
fn changed_corpus_files_keep_the_promises_of_their_target() {
    let rounds = std::env::var("FUZZ_ROUNDS").map_or(50, |rounds| rounds.parse().unwrap());
    let mut random = Seeded::new(20);
    for (name, target) in TARGETS {
        let files = files_of(name);
        for _ in 0..rounds * files.len() {
            let mut bytes = pick(&files, &mut random).clone();
            for _ in 0..=random.below(4) {
                change(&mut bytes, pick(&files, &mut random), &mut random);
            }
            // Shown when the target panics.
            println!("{name} {bytes:02x?}");
            target(&bytes);
        }
    }
}

/// Any moves at all between two IKE endpoints; `FUZZ_ROUNDS` makes it longer.
#[test]
fn two_endpoints_recover_from_any_disturbance() {
    let rounds = std::env::var("FUZZ_ROUNDS").map_or(50, |rounds| rounds.parse().unwrap());
    for seed in 0..rounds {
        println!("seed {seed}");
        let mut random = Seeded::new(seed);
        let mut moves = vec![0; 3 * random.below(200) as usize];
        random.fill(&mut moves);
        super::ike_pair(&moves);
    }
}

fn all() -> impl Iterator<Item = &'static (&'static str, Target)> {
    TARGETS.iter().chain(SLOW_TARGETS)
}

fn files_of(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn pick<'f>(files: &'f [Vec<u8>], random: &mut Seeded) -> &'f Vec<u8> {
    &files[random.below(files.len() as u64) as usize]
}

/// One change: a bit, an octet, a boundary value in a length-like field, a cut, or the end of
/// another file.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Seeded) {
    let mut place = |len: usize| random.below(len.max(1) as u64) as usize;
    let (at, bit, cut) = (place(bytes.len()), place(8), place(other.len()));
    let boundary = [0, 1, 3, 4, 7, 8, 0x7f, 0x80, 0xfe, 0xff][place(10)];
    match (place(6), bytes.get_mut(at)) {
        (0, Some(octet)) => *octet ^= 1 << bit,
        (1 | 2, Some(octet)) => *octet = boundary,
        (3, _) => bytes.truncate(at),
        (4, _) => bytes.splice(at.., other[cut..].iter().copied()).for_each(drop),
        (_, _) => bytes.insert(at.min(bytes.len()), boundary),
    }
    bytes.truncate(4096);
}

#[test]
fn every_target_has_a_binary_for_the_fuzzer() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for (name, _) in all() {
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

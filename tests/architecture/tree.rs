//! The files under `src/`, as the rules look at them.

use crate::code;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Marks of what is no part of the product.
const TESTS: &str = "#[cfg(test)]";
const TESTS_AND_FUZZERS: &str = "#[cfg(any(test, fuzzing))]";

/// One file of the tree.
pub(crate) struct SourceFile {
    /// Path from the root of the repository, such as `src/ike/sa.rs`.
    pub path: String,
    /// Module path, such as `ike::sa`; empty for `src/lib.rs`.
    pub module: String,
    /// Whether it holds tests.
    pub is_test: bool,
    /// The file as it is.
    pub text: String,
    /// The file without comments and strings.
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files of the library and the binaries, in order of their paths.
pub(crate) fn source_files() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    collect(&root().join("src"), &mut paths);
    paths.sort();
    let mut files: Vec<_> = paths.iter().map(|path| SourceFile::read(path)).collect();
    let tests: BTreeSet<_> = files.iter().flat_map(SourceFile::test_modules).collect();
    for file in &mut files {
        file.is_test |= tests.contains(&file.module);
    }
    files
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// The modules that `src/lib.rs` declares.
pub(crate) fn declared_modules() -> BTreeSet<String> {
    let text = read("src/lib.rs");
    let names = text.lines().filter_map(|line| {
        line.strip_prefix("pub mod ").or(line.strip_prefix("mod "))?.strip_suffix(';')
    });
    names.map(str::to_owned).collect()
}

impl SourceFile {
    fn read(path: &Path) -> SourceFile {
        let text = fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
        let parts: Vec<_> = inner.split('/').collect();
        let is_test = parts.contains(&"tests");
        let module = match parts.as_slice() {
            ["lib"] | ["bin", ..] => String::new(),
            [folders @ .., "mod"] => folders.join("::"),
            all => all.join("::"),
        };
        let code = code::without_comments_and_strings(&text);
        SourceFile { path, module, is_test, text, code }
    }

    /// Modules in files of their own that this one declares for tests, or for tests and fuzzers.
    fn test_modules(&self) -> Vec<String> {
        let declared = [TESTS, TESTS_AND_FUZZERS]
            .into_iter()
            .flat_map(|mark| self.code.split(mark).skip(1))
            .filter_map(|rest| {
                let (declaration, _) = rest.split_once(';')?;
                let (visibility, name) = declaration.trim_start().split_once("mod ")?;
                let is_declaration = visibility.is_empty() || visibility.starts_with("pub");
                is_declaration.then_some(name).filter(|name| !name.contains('{'))
            });
        declared.map(|name| format!("{}::{name}", self.module)).collect()
    }

    pub(crate) fn line_count(&self) -> usize {
        self.text.lines().count()
    }

    /// Module paths below the crate that the file names, by `crate::` or by as many `super::` as
    /// lead to the crate's root.
    pub(crate) fn crate_paths(&self) -> Vec<(usize, String)> {
        let depth = self.module.split("::").count();
        let supers = vec!["super"; depth].join("::");
        [code::paths_below(&self.code, "crate"), code::paths_below(&self.code, &supers)]
            .concat()
            .into_iter()
            .map(|(at, path)| (self.line(at), path))
            .collect()
    }

    /// Where the code names any of `names`, also as a member of a `use` group.
    pub(crate) fn names<'n>(&self, names: &[&'n str]) -> Vec<(usize, &'n str)> {
        let grouped = code::paths_below(&self.code, "std");
        let mut found = Vec::new();
        for &name in names {
            let plain = code::occurrences(&self.code, name).into_iter();
            let in_group = grouped.iter().filter(|(_, path)| {
                let path = format!("std::{path}::");
                name.starts_with("std::") && path.starts_with(&format!("{name}::"))
            });
            let at: BTreeSet<_> = plain.chain(in_group.map(|(at, _)| *at)).collect();
            found.extend(at.into_iter().map(|at| (self.line(at), name)));
        }
        found
    }

    /// The line of a `mod tests { … }` in the file.
    pub(crate) fn inline_tests(&self) -> Option<usize> {
        let at = self.code.find("mod tests {")?;
        Some(self.line(at))
    }

    /// Whether a `SAFETY:` comment (`# Safety` in the documentation of an `unsafe fn`) stands in
    /// the line or in the eight above it.
    pub(crate) fn is_explained(&self, line: usize) -> bool {
        let first = line.saturating_sub(9);
        let above = self.text.lines().skip(first).take(line - first);
        above.into_iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

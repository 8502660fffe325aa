//! Holds the tree to the cut of ARCHITECTURE.md: which module may import which, what a pure
//! module may not name, and a few rules that every file obeys.
//!
//! The rules stand in `architecture/table.rs`. When one is in the way for a good reason, change
//! it there and in ARCHITECTURE.md in the same commit, and say why.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

#[path = "architecture/code.rs"]
mod code;
#[path = "architecture/table.rs"]
mod table;
#[path = "architecture/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fmt::Write;
use table::{Kind, MODULES, Module};
use tree::{SourceFile, source_files};

/// Fails with every violation, each as `file:line: what is wrong`.
fn report(rule: &str, violations: Vec<String>) {
    if violations.is_empty() {
        return;
    }
    let mut text = format!("{} violations of: {rule}\n", violations.len());
    for violation in violations {
        let _ = writeln!(text, "  {violation}");
    }
    panic!("{text}");
}

fn module_of(file: &SourceFile) -> Option<&'static Module> {
    table::find(&file.module)
}

/// Files of the product: tests and what only tests use have other rules.
fn product_files() -> Vec<SourceFile> {
    let tests_only =
        |file: &SourceFile| module_of(file).is_some_and(|module| module.kind == Kind::TestsOnly);
    source_files().into_iter().filter(|file| !file.is_test && !tests_only(file)).collect()
}

#[test]
fn every_module_stands_in_the_table() {
    let in_table = |name: &str| MODULES.iter().any(|module| module.name == name);
    let mut violations: Vec<_> = tree::declared_modules()
        .into_iter()
        .filter(|name| !in_table(name))
        .map(|name| format!("src/lib.rs declares `{name}`, which no row of the table describes"))
        .collect();
    let declared = tree::declared_modules();
    let top_level = MODULES.iter().filter(|module| !module.name.contains("::"));
    violations.extend(
        top_level
            .filter(|module| !declared.contains(module.name))
            .map(|module| format!("the table has `{}`, which src/lib.rs lacks", module.name)),
    );
    report("the table and src/lib.rs name the same modules", violations);
}

#[test]
fn architecture_md_shows_this_table() {
    let text = tree::read("ARCHITECTURE.md");
    let violations = MODULES
        .iter()
        .map(Module::as_markdown)
        .filter(|row| !text.lines().any(|line| line.starts_with(row)))
        .map(|row| format!("no row begins with `{row}`"))
        .collect();
    report("the table in ARCHITECTURE.md is the one that is held", violations);
}

#[test]
fn the_table_has_floors() {
    let mut below = BTreeSet::new();
    let mut violations = Vec::new();
    for module in MODULES {
        for import in module.imports {
            if !below.contains(import) {
                violations.push(format!("`{}` may import `{import}`, not below it", module.name));
            }
            let pure = table::find(import).is_some_and(|import| import.kind == Kind::Pure);
            if module.kind == Kind::Pure && !pure {
                violations.push(format!("pure `{}` may import `{import}`, a shell", module.name));
            }
        }
        below.insert(module.name);
    }
    report("a module imports only what stands above its row, and pure only pure", violations);
}

#[test]
fn modules_import_only_what_the_table_lets_them() {
    let mut violations = Vec::new();
    for file in product_files() {
        let Some(module) = module_of(&file) else { continue };
        for (line, path) in file.crate_paths() {
            let Some(target) = table::find(&path) else { continue };
            if !module.may_import(target) {
                violations.push(format!(
                    "{}:{line}: `{}` may not import `{path}` (it may: {})",
                    file.path,
                    module.name,
                    module.imports.join(", ")
                ));
            }
        }
    }
    report("imports follow the table of ARCHITECTURE.md", violations);
}

#[test]
fn pure_modules_do_not_touch_the_world() {
    let mut violations = Vec::new();
    for file in product_files() {
        if !module_of(&file).is_some_and(|module| module.kind == Kind::Pure) {
            continue;
        }
        for (line, name) in file.names(table::FORBIDDEN_IN_PURE) {
            let excused = table::EXCEPTIONS
                .iter()
                .any(|exception| exception.path == file.path && exception.name == name);
            if !excused {
                violations.push(format!("{}:{line}: `{name}`", file.path));
            }
        }
    }
    report("no socket, file, thread, async, clock, OS randomness or environment", violations);
}

#[test]
fn exceptions_are_still_needed() {
    let files = source_files();
    let violations = table::EXCEPTIONS
        .iter()
        .filter(|exception| {
            let file = files.iter().find(|file| file.path == exception.path);
            file.is_none_or(|file| file.names(&[exception.name]).is_empty())
        })
        .map(|exception| format!("{} no longer names `{}`", exception.path, exception.name))
        .collect();
    report("an exception that nothing needs is removed from the table", violations);
}

#[test]
fn files_are_short() {
    let violations = product_files()
        .into_iter()
        .filter(|file| file.line_count() > table::MAX_LINES)
        .map(|file| format!("{}: {} lines", file.path, file.line_count()))
        .collect();
    report(
        "a file is one idea, of 500 lines at most; tests live in files of their own",
        violations,
    );
}

#[test]
fn files_say_what_they_are() {
    let violations = product_files()
        .into_iter()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| format!("{}:1: the first line is not `//! …`", file.path))
        .collect();
    report("a file opens with `//!`: what it is and which RFC sections it implements", violations);
}

#[test]
fn tests_live_in_their_own_files() {
    let violations = product_files()
        .into_iter()
        .filter_map(|file| file.inline_tests().map(|line| format!("{}:{line}", file.path)))
        .collect();
    report("tests of `foo.rs` live in `foo/tests.rs`", violations);
}

#[test]
fn nothing_but_tests_may_panic_on_purpose() {
    let mut violations = Vec::new();
    for file in product_files() {
        for (line, name) in file.names(table::PANICS) {
            violations.push(format!("{}:{line}: `{name}`", file.path));
        }
    }
    report("no unwrap and no deliberate panic outside tests", violations);
}

#[test]
fn unsafe_stays_where_it_is_measured_and_explained() {
    let mut violations = Vec::new();
    for file in product_files() {
        let allowed = table::UNSAFE_ALLOWED.iter().any(|folder| file.path.starts_with(folder));
        for (line, _) in file.names(&["unsafe"]) {
            if !allowed {
                violations.push(format!("{}:{line}: unsafe in this module", file.path));
            } else if !file.is_explained(line) {
                violations.push(format!("{}:{line}: no `// SAFETY:` above it", file.path));
            }
        }
    }
    report("unsafe only in src/os and the checksum, each with its `// SAFETY:`", violations);
}

/// docs/notifications.md: every error has a row, and every test that it names is there.
#[test]
fn what_is_said_of_notifications_is_shown() {
    let (table, registries) = (tree::read("docs/notifications.md"), tree::read(REGISTRIES));
    let named = |row: &str| -> Vec<String> {
        let cells: Vec<&str> = row.split('|').collect();
        let tests = cells.get(4).copied().unwrap_or_default().split('`');
        tests.skip(1).step_by(2).map(str::to_owned).collect()
    };
    let files = source_files();
    let exists = |name: &str| files.iter().any(|file| file.text.contains(&format!("fn {name}()")));
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let nameless = rows.iter().filter(|row| named(row).is_empty());
    let mut violations: Vec<String> = nameless.map(|row| format!("no test: {row}")).collect();
    let gone = rows.iter().flat_map(|row| named(row)).filter(|name| !exists(name));
    violations.extend(gone.map(|name| format!("there is no test {name}")));
    let (_, notify) = registries.split_once("pub struct NotifyType(u16) {").unwrap();
    let errors = notify.lines().filter_map(|line| line.trim().split_once(" = "));
    let errors = errors.take_while(|(name, _)| *name != "INITIAL_CONTACT");
    let unsaid = errors.filter(|(name, _)| !table.contains(&format!("`{name}`")));
    violations.extend(unsaid.map(|(name, _)| format!("docs/notifications.md lacks {name}")));
    report("docs/notifications.md says what is answered, and which test shows it", violations);
}

const REGISTRIES: &str = "src/wire/ike/registries.rs";

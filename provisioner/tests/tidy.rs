//! Keeps the architecture true: no dependency cycle between files, the layers that the documentation draws, and who may
//! name what.
//!
//! The checks read the sources. They cover both crates unless they concern only this one.

#[path = "tidy/cycles.rs"]
mod cycles;
#[path = "tidy/deliberate.rs"]
mod deliberate;
#[path = "tidy/features.rs"]
mod features;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/modules.rs"]
mod modules;
#[path = "tidy/references.rs"]
mod references;

use std::fs;
use std::path::{Path, PathBuf};

use cycles::Graph;
use modules::Sources;

/// The folder of a crate of this workspace.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(name)
}

fn sources(name: &str) -> Sources {
    let root = folder(name).join("src");
    let mut found = Sources::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                open.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(&root).expect("below src").to_str().expect("an ASCII path");
                found.insert(path.to_owned(), fs::read_to_string(&entry).expect("a source file"));
            }
        }
    }
    assert!(found.len() > 10, "only {} files were found", found.len());
    found
}

#[track_caller]
fn assert_no_cycles(name: &str) {
    let found = Graph::of(name, &sources(name)).cycles();
    assert!(found.is_empty(), "dependency cycles between files of `{name}`:\n{}", found.concat().join("\n"));
}

#[test]
fn function_has_no_dependency_cycles() {
    assert_no_cycles("function");
}

#[test]
fn the_tests_compile_no_dependency_a_second_time() {
    let found = features::compiled_twice();
    assert!(found.is_empty(), "dev-dependencies change the features of:\n{}", found.join("\n"));
}

#[test]
fn provisioner_has_no_dependency_cycles() {
    assert_no_cycles("provisioner");
}

#[test]
fn dependencies_follow_the_layers_that_the_documentation_draws() {
    let sources = sources("provisioner");
    let found = layers::disagreements(&Graph::of("provisioner", &sources), &layers::parse(&sources["lib.rs"]));
    assert!(found.is_empty(), "the documentation of the crate draws other layers:\n{}", found.join("\n"));
    let page = fs::read_to_string(folder("provisioner").join("docs/architecture.md")).expect("architecture.md");
    assert_eq!(layers::drawing(&page), layers::drawing(&sources["lib.rs"]), "architecture.md draws other layers");
}

/// Fails if code (not a comment) of `provisioner` contains one of these words in a file that `forbidden` selects.
#[track_caller]
fn nowhere(words: &[&str], forbidden: impl Fn(&str) -> bool) {
    let sources = sources("provisioner");
    let found: Vec<String> = sources
        .iter()
        .filter(|(file, _)| forbidden(file))
        .flat_map(|(file, text)| text.lines().enumerate().map(move |(i, line)| (file, i + 1, line.trim())))
        .filter(|(_, _, line)| !line.starts_with("//") && words.iter().any(|word| line.contains(word)))
        .map(|(file, number, line)| format!("{file}:{number}: {line}"))
        .collect();
    assert!(found.is_empty(), "{words:?} must not be here:\n{}", found.join("\n"));
}

#[test]
fn only_aws_names_the_sdk() {
    nowhere(&["aws_sdk_", "aws_smithy_", "aws_config"], |file| !file.starts_with("aws/"));
}

#[test]
fn core_is_pure() {
    nowhere(
        &["tokio", "std::fs", "std::env", "std::time", "std::net", "std::process", "SystemTime", "Instant::now"],
        |file| file.starts_with("core/"),
    );
}

#[test]
fn provisioner_takes_no_code_from_function() {
    // The crate `function`, not the module `aws::function`.
    nowhere(&["use function::", "extern crate"], |_| true);
}

#[test]
fn only_ui_prints() {
    nowhere(&["println!", "print!(", "eprint", "stdout()", "stderr()"], |file| !file.starts_with("ui/"));
}

#[test]
fn files_and_lines_have_a_maximum_length() {
    for name in ["provisioner", "function"] {
        for (path, text) in sources(name) {
            assert!(text.lines().count() <= 500, "{name}: {path} has {} lines", text.lines().count());
            assert!(text.starts_with("//!"), "{name}: {path} does not say what it is for");
        }
    }
}

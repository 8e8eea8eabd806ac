//! Keeps the map in `src/lib.rs` true: who may name what.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, into);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            into.push((entry.clone(), fs::read_to_string(&entry).expect("a source file")));
        }
    }
}

/// Every line of code (not of comments) below `src`, as (path below src, line number, line).
fn lines() -> Vec<(String, usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "only {} files were found", files.len());
    files
        .into_iter()
        .flat_map(|(path, text)| {
            let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
            text.lines().enumerate().map(|(i, line)| (name.clone(), i + 1, line.to_owned())).collect::<Vec<_>>()
        })
        .filter(|(_, _, line)| !line.trim_start().starts_with("//"))
        .collect()
}

#[track_caller]
fn nowhere(words: &[&str], wanted: impl Fn(&str) -> bool) {
    let found: Vec<String> = lines()
        .into_iter()
        .filter(|(file, _, line)| wanted(file) && words.iter().any(|word| line.contains(word)))
        .map(|(file, number, line)| format!("{file}:{number}: {}", line.trim()))
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
        &[
            "aws_sdk_",
            "tokio",
            "std::fs",
            "std::env",
            "std::time",
            "std::net",
            "std::process",
            "SystemTime",
            "Instant::now",
            "crate::aws",
            "crate::ui",
            "crate::local",
            "crate::steps",
            "crate::commands",
            "crate::cli",
        ],
        |file| file.starts_with("core/"),
    );
}

#[test]
fn dependencies_point_one_way() {
    nowhere(&["crate::ui", "crate::cli", "crate::commands", "crate::steps", "crate::local"], |file| {
        file.starts_with("aws/")
    });
    nowhere(&["crate::aws", "crate::cli", "crate::commands", "crate::steps", "crate::local"], |file| {
        file.starts_with("ui/")
    });
    nowhere(&["crate::aws", "crate::cli", "crate::commands", "crate::steps", "crate::ui"], |file| {
        file.starts_with("local/")
    });
    nowhere(&["crate::commands"], |file| file.starts_with("steps/"));
    // The crate `function`, not the module `aws::function`.
    nowhere(&["use function::", "extern crate"], |_| true);
}

#[test]
fn only_ui_prints() {
    nowhere(&["println!", "print!(", "eprint", "stdout()", "stderr()"], |file| !file.starts_with("ui/"));
}

#[test]
fn files_stay_readable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for (path, text) in files {
        assert!(text.lines().count() <= 500, "{} has {} lines", path.display(), text.lines().count());
        assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
    }
}

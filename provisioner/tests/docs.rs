//! Keeps the documentation true: its examples run, its links lead somewhere, and it names whatever a user can name.
//!
//! `TRYCMD=overwrite` writes the real output into the examples.

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use provisioner::cli::Cli;
use provisioner::core::template;
use regex_lite::Regex;
use support::Folder;

/// Set for the run of the examples that has nothing of this machine's settings.
const ISOLATED: &str = "DOCS_ISOLATED";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Markdown files of the repository.
fn pages() -> Vec<PathBuf> {
    let folders =
        ["", ".github", "provisioner/docs", "provisioner/benches", "provisioner/fixtures", "function/benches"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).expect("a folder"));
    let mut pages: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    assert!(pages.len() >= 12, "{pages:?}");
    pages
}

#[test]
fn examples_show_what_the_program_prints() {
    if std::env::var_os(ISOLATED).is_none() {
        let home = Folder::new("docs");
        let mut again = Command::new(std::env::current_exe().expect("this program"));
        support::isolate(&mut again, &home.0);
        again.args(["--exact", "examples_show_what_the_program_prints", "--nocapture"]).env(ISOLATED, "yes");
        assert!(
            again.status().expect("this program runs").success(),
            "the output above differs from the documentation"
        );
        return;
    }
    let cases = trycmd::TestCases::new();
    cases.register_bin("provisioner", Path::new(env!("CARGO_BIN_EXE_provisioner")));
    for page in pages() {
        cases.case(page);
    }
}

/// The anchors of a page, as GitHub derives them from its headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let headings = page.lines().filter(|line| {
        in_code ^= line.trim_start().starts_with("```");
        !in_code && line.starts_with('#')
    });
    let anchor = |heading: &str| -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_within_the_repository_have_targets() {
    let link = Regex::new(r"\]\(([^)]+)\)").expect("a pattern");
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for target in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            if target.contains("://") {
                continue;
            }
            count += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { page.clone() } else { page.parent().expect("a folder").join(path) };
            let found = path.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&path).expect("a page")).contains(anchor));
            if !found {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(count > 30, "only {count} links were found");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn source_files_that_the_documentation_names_exist() {
    let named = Regex::new(r"`([a-z0-9_/]+\.(?:rs|yaml))`").expect("a pattern");
    let folders = ["", "provisioner", "provisioner/src", "function/src", "templates"].map(|folder| root().join(folder));
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for name in named.captures_iter(&text).map(|found| found[1].to_owned()) {
            // Those without a folder are named beside a crate's own, such as `benches/compare.rs`.
            let beside = page.with_file_name(&name).exists();
            assert!(
                beside || folders.iter().any(|folder| folder.join(&name).exists()),
                "{}: no `{name}`",
                page.display()
            );
        }
    }
}

#[test]
fn usage_names_every_command_and_option() {
    let usage = read("provisioner/docs/usage.md");
    let mut missing = Vec::new();
    let program = Cli::command();
    let mut commands: Vec<_> = vec![&program];
    while let Some(command) = commands.pop() {
        for below in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            commands.push(below);
            if !Regex::new(&format!(r"\b{}\b", below.get_name())).expect("a pattern").is_match(&usage) {
                missing.push(below.get_name().to_owned());
            }
        }
        for option in command.get_arguments().filter(|option| !option.is_hide_set()).filter_map(clap::Arg::get_long) {
            // The options of `policy` and `doctor` are where the policy is explained.
            if !usage.contains(&format!("--{option}"))
                && !read("provisioner/docs/permissions.md").contains(&format!("--{option}"))
            {
                missing.push(format!("{} --{option}", command.get_name()));
            }
        }
    }
    assert!(missing.is_empty(), "usage.md does not describe {missing:?}");
}

#[test]
fn usage_names_every_parameter_with_its_default() {
    let usage = read("provisioner/docs/usage.md");
    let template = template::read(template::BUILT_IN).expect("the built-in template");
    for (name, default) in &template.parameters {
        let row = usage.lines().find(|line| line.starts_with(&format!("| `{name}` | ")));
        match (row, default.as_deref()) {
            (None, None) => assert!(usage.contains(&format!("`{name}`")), "usage.md does not describe `{name}`"),
            (None, Some(_)) => panic!("usage.md does not describe `{name}`"),
            (Some(row), Some(default)) if !default.is_empty() && name != "BucketPrefix" => {
                assert!(row.contains(&format!(" | `{default}` | ")), "the default of `{name}` is `{default}`: {row}");
            }
            _ => {}
        }
    }
}

#[test]
fn make_targets_exist_and_are_described() {
    let makefile = read("Makefile");
    let target = Regex::new(r"(?m)^([a-z0-9-]+):.*## ").expect("a pattern");
    let targets: BTreeSet<String> = target.captures_iter(&makefile).map(|found| found[1].to_owned()).collect();
    let mentioned = Regex::new(r"`make ([a-z0-9-]+)").expect("a pattern");
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for name in mentioned.captures_iter(&text).map(|found| found[1].to_owned()) {
            assert!(targets.contains(&name), "{}: there is no target `{name}`", page.display());
        }
    }
    let contributing = read(".github/CONTRIBUTING.md");
    for name in targets.iter().filter(|name| !["help", "clean"].contains(&name.as_str())) {
        assert!(contributing.contains(&format!("| `make {name}`")), "CONTRIBUTING.md does not describe `make {name}`");
    }
}

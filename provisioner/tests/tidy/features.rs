//! Whether the program and its tests use the same builds of their dependencies.
//!
//! Cargo compiles a dependency once for each set of features, and a dev-dependency may add features. Then everything that depends on such a crate,
//! for example the AWS SDK, is compiled once for the program and once more for the tests.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Each dependency with its features, as Cargo unites them for these kinds of dependencies.
fn features(edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p} {f}",
            "--edges",
            edges,
        ])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: BTreeSet<_> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| line.trim_end_matches(" (*)").trim_end().to_owned())
        .collect();
    assert!(found.len() > 100, "only {} dependencies were found", found.len());
    found
}

/// The dependencies of the program that its tests would compile again.
pub(super) fn compiled_twice() -> Vec<String> {
    features("normal,build").difference(&features("normal,build,dev")).cloned().collect()
}

//! Runs cargo in a checkout.
//!
//! Invariant: a function for Lambda has the same bytes wherever it is built; no path of this machine is in it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::source::{CargoProfile, Source};
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::text::last_lines;
use crate::error::{Error, Exit, Result};
use crate::package::Architecture;
use crate::ui::Events;

const NO_RUST: &str = "install Rust from https://rustup.rs, or name a built function with `--bootstrap FILE`";

/// One way to build the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// For this machine, with the profile and the features of the program's own dev build, so that cargo compiles no
    /// dependency twice.
    Dev,
    /// As Lambda runs it, for a target of rustc.
    Lambda(&'static str),
}

impl Build {
    pub(crate) fn of(source: &Source) -> Result<Self> {
        let here = source.for_this_machine;
        match source.cargo_profile.unwrap_or(if here { CargoProfile::Dev } else { CargoProfile::Lambda }) {
            CargoProfile::Dev if here => Ok(Self::Dev),
            CargoProfile::Dev => {
                Err(Error::new("cargo profile `dev` builds a function for this machine, not for Lambda")
                    .exit(Exit::Usage)
                    .hint("leave out `--cargo-profile`, or add `--local`"))
            }
            CargoProfile::Lambda => Ok(Self::Lambda(match (source.architecture, here && cfg!(target_os = "macos")) {
                (Architecture::Arm64, false) => "aarch64-unknown-linux-musl",
                (Architecture::X86_64, false) => "x86_64-unknown-linux-musl",
                (Architecture::Arm64, true) => "aarch64-apple-darwin",
                (Architecture::X86_64, true) => "x86_64-apple-darwin",
            })),
        }
    }

    /// The target whose standard library rustc needs in addition to its own.
    pub(crate) fn target(self) -> Option<&'static str> {
        match self {
            Self::Dev => None,
            Self::Lambda(target) => Some(target),
        }
    }

    /// Builds the function and returns the path of its executable.
    pub(super) async fn run(self, root: &Path, events: &Events) -> Result<PathBuf> {
        let Some(target) = self.target() else {
            if !built(root, "debug") {
                events.emit(Event::BuildStarted { target: "this machine" });
            }
            return self.cargo(root, events).await;
        };
        let built_before = built(root, &format!("{target}/lambda"));
        if !built_before {
            ensure_target(root, target, events).await?;
            events.emit(Event::BuildStarted { target });
        }
        match self.cargo(root, events).await {
            // A toolchain installed since then may lack the target. To ask every time would slow down each `up`.
            Err(_) if built_before => {
                ensure_target(root, target, events).await?;
                self.cargo(root, events).await
            }
            built => built,
        }
    }

    async fn cargo(self, root: &Path, events: &Events) -> Result<PathBuf> {
        let no_cargo = |error: std::io::Error| {
            Error::new("cannot run `cargo`, which builds the function").because(&error).hint(NO_RUST)
        };
        let mut child = self.command(root).spawn().map_err(no_cargo)?;
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let errors = tokio::spawn(async move {
            let mut text = String::new();
            // What cannot be read cannot be shown either.
            let _ = stderr.read_to_string(&mut text).await;
            text
        });
        let executable = self.follow(&mut child, root, events).await;
        let status = child.wait().await.map_err(|error| Error::new("cannot wait for `cargo`").because(&error))?;
        match executable.filter(|_| status.success()) {
            Some(path) => Ok(path),
            None => {
                Err(Error::new(format!("cannot build the function for {}", self.target().unwrap_or("this machine")))
                    .cause(last_lines(&errors.await.unwrap_or_default(), 30))
                    .hint(
                        Hint::command("doctor")
                            .then(" checks the toolchain; `--bootstrap FILE` uses a function built elsewhere"),
                    ))
            }
        }
    }

    /// Reports each compiled crate, and returns the path of the executable once cargo has named it.
    async fn follow(self, child: &mut Child, root: &Path, events: &Events) -> Option<PathBuf> {
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let (mut crates, mut ready, mut executable) = (0, HashSet::new(), None);
        let of = Arc::new(OnceLock::new());
        while let Ok(Some(line)) = lines.next_line().await {
            let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
            if message["reason"] != "compiler-artifact" {
                continue;
            }
            ready.insert(message["package_id"].as_str().unwrap_or_default().to_owned());
            if message["fresh"] == false {
                if crates == 0 {
                    // Only a build that compiles something is worth it.
                    let (root, of) = (root.to_path_buf(), Arc::clone(&of));
                    tokio::spawn(async move { self.packages(&root).await.map(|packages| of.set(packages)) });
                }
                crates += 1;
                let latest = message["target"]["name"].as_str().unwrap_or_default().to_owned();
                events.emit(Event::BuildProgress { crates, latest, packages: ready.len(), of: of.get().copied() });
            }
            if let Some(path) = message["executable"].as_str() {
                executable = Some(PathBuf::from(path));
            }
        }
        executable
    }

    /// The number of packages that the function consists of, itself included.
    async fn packages(self, root: &Path) -> Option<usize> {
        let mut command = Command::new("cargo");
        command.current_dir(root).args(["tree", "--locked", "--offline", "--package", "function"]);
        command.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
        if let Some(target) = self.target() {
            command.args(["--target", target]);
        }
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
        let listed = String::from_utf8_lossy(&output.stdout);
        // A package that was listed before is marked.
        let packages: HashSet<&str> = listed.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        (output.status.success() && !packages.is_empty()).then_some(packages.len())
    }

    fn command(self, root: &Path) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(root).args(["build", "--locked", "--bin", "bootstrap"]);
        match self {
            Self::Dev => command.arg("--workspace"),
            Self::Lambda(target) => command
                .args(["--package", "function", "--profile", "lambda", "--target", target])
                .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(root)),
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_cargo_run(name)) {
            command.env_remove(name);
        }
        command
            .args(["--message-format", "json-render-diagnostics"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// Variables that `cargo run` sets for the program that it runs. Build scripts ask for some of them, so that a cargo
/// which inherits them would compile those crates again.
fn is_of_cargo_run(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name == "OUT_DIR"
        || ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether an earlier build left an executable in this folder of the target directory.
fn built(root: &Path, folder: &str) -> bool {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
    target.join(folder).join("bootstrap").exists()
}

/// Adds the target's standard library if the toolchain lacks it.
async fn ensure_target(root: &Path, target: &'static str, events: &Events) -> Result<()> {
    let probe = Command::new("rustc")
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .await
        .map_err(|error| Error::new("cannot run `rustc`, which builds the function").because(&error).hint(NO_RUST))?;
    let folder = String::from_utf8_lossy(&probe.stdout).trim().to_owned();
    if probe.status.success() && std::fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some()) {
        return Ok(());
    }
    events.emit(Event::TargetAdding { target });
    let by_hand = format!(
        "install the target yourself (`rustup target add {target}`, or a package of your distribution), then run the command again"
    );
    match Command::new("rustup").current_dir(root).args(["target", "add", target]).output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Error::new(format!("cannot add the Rust target `{target}`"))
            .cause(last_lines(&String::from_utf8_lossy(&output.stderr), 3))
            .hint(by_hand)),
        Err(error) => Err(Error::new(format!("the Rust target `{target}` is missing, and `rustup` cannot add it"))
            .because(&error)
            .hint(by_hand)),
    }
}

/// Flags that keep this machine's paths out of the executable, so that its bytes are the same everywhere, and that
/// avoid relocations, which would take a twentieth of each start (only executables for `x86_64` have any).
fn rust_flags(root: &Path) -> String {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let places = [(cargo_home, "/cargo"), (Some(root.to_path_buf()), "/src")];
    let remap = |(from, to): (Option<PathBuf>, &str)| Some(format!("--remap-path-prefix={}={to}", from?.display()));
    let mut flags: Vec<_> = places.into_iter().filter_map(remap).collect();
    flags.push("-Crelocation-model=static".to_owned());
    // Cargo's own separator between flags.
    flags.join("\x1f")
}

#[cfg(test)]
mod tests {
    use super::super::source::FunctionOptions;
    use super::*;

    #[test]
    fn the_local_cloud_gets_a_dev_build_and_aws_never_does() {
        let lambda = Some("aarch64-unknown-linux-musl");
        let here = if cfg!(target_os = "macos") { "aarch64-apple-darwin" } else { "aarch64-unknown-linux-musl" };
        for (cargo_profile, for_this_machine, expected) in [
            (None, false, Some(lambda)),
            (None, true, Some(None)),
            (Some(CargoProfile::Lambda), false, Some(lambda)),
            (Some(CargoProfile::Lambda), true, Some(Some(here))),
            (Some(CargoProfile::Dev), true, Some(None)),
            (Some(CargoProfile::Dev), false, None),
        ] {
            let options = FunctionOptions { bootstrap: None, cargo_profile };
            let build = Build::of(&options.source(Architecture::Arm64, for_this_machine));
            assert_eq!(build.ok().map(Build::target), expected, "{cargo_profile:?} {for_this_machine}");
        }
    }

    #[test]
    fn a_dev_build_has_the_features_of_the_programs_own_build() {
        let arguments = |build: Build| -> Vec<String> {
            let command = build.command(Path::new("/checkout"));
            command.as_std().get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
        };
        // Cargo unites features over the packages that it is given, so both builds must be given all of them.
        let dev = arguments(Build::Dev);
        assert!(
            dev.contains(&"--workspace".to_owned()) && !dev.iter().any(|argument| argument.contains("target")),
            "{dev:?}"
        );
        assert!(!arguments(Build::Lambda("t")).contains(&"--workspace".to_owned()));
    }

    #[test]
    fn make_dist_builds_the_function_with_the_same_flags() {
        let makefile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Makefile");
        let makefile = std::fs::read_to_string(makefile).expect("the Makefile");
        let (_, flags) = makefile.split_once("\nFUNCTION_FLAGS := ").expect("the flags");
        let flags = flags.lines().next().expect("a line");
        let ours = rust_flags(Path::new("$(CURDIR)")).replace('\x1f', " ");
        // The first flag names cargo's folder, which is another one on each machine.
        let after_cargo_home = |flags: &str| flags.split_once("=/cargo ").expect("cargo's folder").1.to_owned();
        assert_eq!(after_cargo_home(flags), after_cargo_home(&ours));
        let build = "cargo build --locked --package function --bin bootstrap --profile lambda ";
        assert!(makefile.contains(&format!("RUSTFLAGS=\"$(FUNCTION_FLAGS)\" {build}")), "{build}");
    }

    #[test]
    fn variables_of_cargo_run_are_told_from_the_users_own() {
        for (name, expected) in [
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_PKG_VERSION", true),
            ("OUT_DIR", true),
            ("CARGO_HOME", false),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_BUILD_JOBS", false),
            ("RUSTFLAGS", false),
        ] {
            assert_eq!(is_of_cargo_run(OsStr::new(name)), expected, "{name}");
        }
    }
}

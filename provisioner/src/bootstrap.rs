//! The function's executable: built by cargo in a checkout, taken from this binary elsewhere, or given by the user.
//!
//! Invariant: whatever comes out is a Linux executable for the architecture that was asked for, or it is refused.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};
use crate::package::{self, Architecture, Package};
use crate::ui::Events;

/// The executables that `make dist` puts into the binary.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Where the executable comes from and what it must run on.
#[derive(Clone, Debug)]
pub struct Source {
    /// A file given by the user.
    pub file: Option<PathBuf>,
    /// What it must run on.
    pub architecture: Architecture,
    /// It will run as a process of this machine instead of in Lambda.
    pub for_this_machine: bool,
}

/// Gets the executable and packs it.
///
/// # Errors
/// There is no source, the build fails, or the executable is of the wrong kind.
pub async fn package(source: &Source, events: &Events) -> Result<Package> {
    let (origin, executable) = executable(source, events).await?;
    if !(source.for_this_machine && cfg!(not(target_os = "linux"))) {
        package::check(&executable, source.architecture).map_err(|error| refuse(&origin, &error))?;
    }
    // Aside, so that requests that are under way meanwhile are not held up.
    let package = tokio::task::spawn_blocking(move || package::pack(&executable))
        .await
        .map_err(|error| Error::new("the packing was interrupted").because(&error))?
        .map_err(|error| refuse(&origin, &error))?;
    events.emit(Event::Packaged {
        source: origin,
        architecture: source.architecture.name(),
        executable_bytes: package.executable_bytes,
        zip_bytes: package.zip.len(),
        sha256: package.sha256.clone(),
    });
    Ok(package)
}

async fn executable(source: &Source, events: &Events) -> Result<(String, Vec<u8>)> {
    if let Some(path) = &source.file {
        let origin = path.display().to_string();
        let bytes = read(path).map_err(|error| error.exit(Exit::Usage))?;
        let executable = package::extract_executable(bytes).map_err(|error| refuse(&origin, &error))?;
        return Ok((origin, executable));
    }
    if let Some(root) = checkout() {
        let target = target(source);
        let built_before = root.join("target").join(target).join("lambda/bootstrap").exists();
        if !built_before {
            ensure_target(&root, target, events).await?;
            events.emit(Event::BuildStarted { target });
        }
        let path = match build(&root, target, events).await {
            // Another toolchain since then may lack the target. Asking each time would cost a no-change `up` a tenth of a second.
            Err(_) if built_before => {
                ensure_target(&root, target, events).await?;
                build(&root, target, events).await?
            }
            built => built?,
        };
        return Ok((path.strip_prefix(&root).unwrap_or(&path).display().to_string(), read(&path)?));
    }
    embedded(source.architecture.name())
        .map(|bytes| ("this program".to_owned(), bytes.to_vec()))
        .ok_or_else(|| {
            Error::new(format!("this binary carries no function for {}, and this folder is no checkout to build one from", source.architecture.name()))
                .exit(Exit::Usage)
                .hint("run it inside a checkout, or give an executable with `--bootstrap FILE`, or use a binary made by `make dist`")
        })
}

fn embedded(architecture: &str) -> Option<&'static [u8]> {
    embedded::ALL.iter().find(|(name, _)| *name == architecture).map(|(_, bytes)| *bytes)
}

/// The SHA-256 of the package for an architecture that is embedded in this program, if there is one.
#[must_use]
pub fn embedded_sha256(architecture: &str) -> Option<String> {
    package::pack(embedded(architecture)?).ok().map(|package| package.sha256)
}

fn refuse(origin: &str, error: &package::Error) -> Error {
    Error::new(format!("cannot use `{origin}` as the function")).because(error).exit(Exit::Usage).hint(
        Hint::command("build").then(
            " builds the right one in a checkout; `--parameter Architecture=x86_64` selects the other architecture",
        ),
    )
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::new(format!("cannot read `{}`", path.display())).because(&error))
}

/// The root of the checkout around the current folder, if there is one.
fn checkout() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .find(|folder| folder.join("function/Cargo.toml").is_file() && folder.join("templates/stack.yaml").is_file())
        .map(Path::to_path_buf)
}

pub(crate) fn target(source: &Source) -> &'static str {
    match (source.architecture, source.for_this_machine && cfg!(target_os = "macos")) {
        (Architecture::Arm64, false) => "aarch64-unknown-linux-musl",
        (Architecture::X86_64, false) => "x86_64-unknown-linux-musl",
        (Architecture::Arm64, true) => "aarch64-apple-darwin",
        (Architecture::X86_64, true) => "x86_64-apple-darwin",
    }
}

/// Adds the target's standard library where it is missing.
async fn ensure_target(root: &Path, target: &'static str, events: &Events) -> Result<()> {
    let missing_rust = |error: std::io::Error| {
        Error::new("cannot run `rustc`, which builds the function")
            .because(&error)
            .hint("install Rust (rustup), or give a built function with `--bootstrap FILE`")
    };
    let probe = Command::new("rustc")
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .await
        .map_err(missing_rust)?;
    let folder = String::from_utf8_lossy(&probe.stdout).trim().to_owned();
    if probe.status.success() && std::fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some()) {
        return Ok(());
    }
    events.emit(Event::TargetAdding { target });
    let by_hand = format!(
        "add it by hand: `rustup target add {target}` (or your distribution's package for it), then run the same command again"
    );
    let added = Command::new("rustup").current_dir(root).args(["target", "add", target]).output().await;
    match added {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Error::new(format!("cannot add the Rust target `{target}`"))
            .cause(last_lines(&String::from_utf8_lossy(&output.stderr), 3))
            .hint(by_hand)),
        Err(error) => {
            Err(Error::new(format!("the Rust target `{target}` is missing, and there is no `rustup` to add it"))
                .because(&error)
                .hint(by_hand))
        }
    }
}

/// Builds the function and returns the path of its executable.
async fn build(root: &Path, target: &'static str, events: &Events) -> Result<PathBuf> {
    let mut child = Command::new("cargo")
        .current_dir(root)
        .args([
            "build",
            "--profile",
            "lambda",
            "--locked",
            "--package",
            "function",
            "--bin",
            "bootstrap",
            "--target",
            target,
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(root))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Error::new("cannot run `cargo`, which builds the function")
                .because(&error)
                .hint("install Rust (rustup), or give a built function with `--bootstrap FILE`")
        })?;
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let errors = tokio::spawn(async move {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text).await;
        text
    });
    let (mut crates, mut executable) = (0, None);
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        if message["fresh"] == false {
            crates += 1;
            events.emit(Event::BuildProgress {
                crates,
                latest: message["target"]["name"].as_str().unwrap_or_default().to_owned(),
            });
        }
        if let Some(path) = message["executable"].as_str() {
            executable = Some(PathBuf::from(path));
        }
    }
    let status = child.wait().await.map_err(|error| Error::new("cannot wait for `cargo`").because(&error))?;
    match executable.filter(|_| status.success()) {
        Some(path) => Ok(path),
        None => Err(Error::new(format!("cannot build the function for `{target}`"))
            .cause(last_lines(&errors.await.unwrap_or_default(), 30))
            .hint(
                Hint::command("doctor")
                    .then(" checks the toolchain; `--bootstrap FILE` uses a function that was built elsewhere"),
            )),
    }
}

/// Flags that take this machine's paths out of the executable, so that its bytes are the same everywhere, and its relocations, which a start
/// would spend a twentieth of its time on (only executables for x86-64 have any).
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

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

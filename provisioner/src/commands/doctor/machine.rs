//! What this machine needs to build the function and to run the local cloud.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use tokio::process::Command;

use super::findings::Findings;
use crate::core::event::CheckState;
use crate::core::finding::Finding;
use crate::core::hint::Hint;
use crate::package::Architecture;
use crate::{bootstrap, local, local_cloud};

/// The oldest Rust that builds the function, from `rust-version` in `Cargo.toml`.
const OLDEST_RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Free space that a first build of the function needs. It leaves 430 MB behind (measured in November 2026).
const BUILD_BYTES: u64 = 600_000_000;

/// Free space that installing MiniStack needs. It leaves 90 MB behind.
const INSTALL_BYTES: u64 = 200_000_000;

const INSTALL_RUST: &str = "install Rust from https://rustup.rs, or name a built function with `--bootstrap FILE`";

/// Checks the toolchain that builds the function. It is needed only in a checkout.
pub(super) async fn toolchain(findings: &mut Findings, local: bool) {
    let checkout = bootstrap::checkout();
    let state = if checkout.is_some() { CheckState::Problem } else { CheckState::Note };
    let (cargo, rustc, rustup) = tokio::join!(
        first_line("cargo", &["--version"]),
        first_line("rustc", &["--version"]),
        first_line("rustup", &["--version"])
    );
    match (cargo, rustc) {
        (Some(_), Some(rustc)) if is_too_old(&rustc) => {
            let remedy = match rustup {
                Some(_) => Hint::shell(["rustup", "update", "stable"]).then(" installs a newer one"),
                None => INSTALL_RUST.into(),
            };
            return findings.add("rust", state, Finding::OldToolchain { rustc, needed: OLDEST_RUST }, Some(remedy));
        }
        (Some(cargo), Some(rustc)) => findings.ok("rust", Finding::Toolchain { rustc, cargo }),
        _ => return findings.add("rust", state, Finding::NoToolchain, Some(INSTALL_RUST.into())),
    }
    let architecture = if local { Architecture::of_this_machine() } else { Architecture::Arm64 };
    let source = bootstrap::FunctionOptions::default().source(architecture, local);
    // The local cloud's function is built for this machine, without any further target.
    if let Some(target) = bootstrap::Build::of(&source).ok().and_then(bootstrap::Build::target) {
        library(findings, target, state, rustup.is_some()).await;
        linker(findings, target, state).await;
    }
    if let Some(root) = checkout {
        space(findings, "disk for builds", &root.join("target"), BUILD_BYTES, state);
    }
}

/// Checks rustc's standard library for the target.
async fn library(findings: &mut Findings, target: &str, state: CheckState, has_rustup: bool) {
    let folder = first_line("rustc", &["--print", "target-libdir", "--target", target]).await;
    let present = folder.is_some_and(|folder| Path::new(&folder).is_dir());
    let finding = Finding::RustTarget { target: target.to_owned(), present, rustup: has_rustup };
    match (present, has_rustup) {
        (true, _) => findings.ok("rust target", finding),
        (false, true) => findings.note("rust target", finding),
        (false, false) => findings.add("rust target", state, finding, Some(INSTALL_RUST.into())),
    }
}

/// Checks the linker that a checkout's `.cargo/config.toml` names. It comes with Rust, but not with every distribution's.
async fn linker(findings: &mut Findings, target: &str, state: CheckState) {
    if !target.ends_with("-musl") {
        return;
    }
    let sysroot = first_line("rustc", &["--print", "sysroot"]).await.map(PathBuf::from);
    let host = first_line("rustc", &["--print", "host-tuple"]).await;
    let own = sysroot.zip(host).map(|(sysroot, host)| sysroot.join("lib/rustlib").join(host).join("bin/rust-lld"));
    let found = own.filter(|path| path.is_file()).or_else(|| on_path("rust-lld"));
    match found {
        Some(path) => findings.ok("rust-lld", Finding::Linker { path: Some(path.display().to_string()) }),
        None => findings.add("rust-lld", state, Finding::Linker { path: None }, Some(INSTALL_RUST.into())),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Checks what installs the local cloud. It is needed only for `--local`.
pub(super) async fn local_cloud(findings: &mut Findings, local: bool) {
    let state = if local { CheckState::Problem } else { CheckState::Note };
    match local::installer().await.map_err(local_cloud::explain) {
        Ok(installer) => findings.ok("local cloud", Finding::Installer { installer: installer.to_string() }),
        Err(error) => {
            let finding = Finding::Failed { message: error.message, cause: None };
            findings.add("local cloud", state, finding, error.hints.into_iter().next());
        }
    }
    if let Ok(options) = local_cloud::options()
        && !local::is_installed(&options.paths)
    {
        space(findings, "disk for local", &options.paths.cache, INSTALL_BYTES, state);
    }
}

/// Checks the free space where a folder is or will be.
fn space(findings: &mut Findings, name: &'static str, folder: &Path, needed: u64, state: CheckState) {
    let free = |folder: &Path| statvfs(folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    let Some(free) = folder.ancestors().find_map(free) else { return };
    let finding = Finding::FreeSpace { folder: folder.display().to_string(), free_bytes: free, needed_bytes: needed };
    if free >= needed {
        return findings.ok(name, finding);
    }
    findings.add(name, state, finding, Some("free some space on that disk".into()));
}

/// The first line that a program prints, if it succeeds.
async fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().await.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

/// Whether `rustc 1.90.0 (…)` is older than the function needs; what cannot be read is not.
fn is_too_old(rustc: &str) -> bool {
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split(['.', '-', ' ']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let version = rustc.split_whitespace().nth(1).and_then(numbers);
    version.zip(numbers(OLDEST_RUST)).is_some_and(|(version, oldest)| version < oldest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_compilers() {
        for (rustc, expected) in [
            ("rustc 1.94.1 (e408947bf 2026-03-25)", true),
            ("rustc 0.12.0", true),
            ("rustc 1.95.0 (59807616e 2026-04-14)", false),
            ("rustc 1.100.0-nightly", false),
            ("rustc 2.0", false),
            ("a compiler", false),
            ("", false),
        ] {
            assert_eq!(is_too_old(rustc), expected, "{rustc}");
        }
    }
}

//! The function's executable: built by cargo in a checkout, carried by this program, or given by the user.
//!
//! Invariant: the result is a Linux executable for the requested architecture; anything else is refused.

mod cargo;
mod source;

use std::path::{Path, PathBuf};

use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};
use crate::file;
use crate::package::{self, Package};
use crate::ui::Events;

pub use source::{CargoProfile, FunctionOptions, Source};

pub(crate) use cargo::Build;

/// The executables that `make dist` puts into this program, each in a zip.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Gets the executable and packages it.
pub async fn package(source: &Source, events: &Events) -> Result<Package> {
    let (origin, executable) = executable(source, events).await?;
    if !(source.for_this_machine && cfg!(not(target_os = "linux"))) {
        package::check(&executable, source.architecture).map_err(|error| refuse(&origin, &error))?;
    }
    // On another thread, so that requests in progress are not delayed.
    let package = tokio::task::spawn_blocking(move || package::pack(&executable))
        .await
        .map_err(|error| Error::new("cannot package the function: an internal task ended early").because(&error))?
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

/// The executable and where it comes from.
async fn executable(source: &Source, events: &Events) -> Result<(String, Vec<u8>)> {
    if let Some(path) = &source.file {
        let origin = path.display().to_string();
        let bytes = read(path).map_err(|error| error.exit(Exit::Usage))?;
        let executable = package::extract_executable(bytes).map_err(|error| refuse(&origin, &error))?;
        return Ok((origin, executable));
    }
    if let Some(root) = checkout() {
        let path = Build::of(source)?.run(&root, events).await?;
        return Ok((path.strip_prefix(&root).unwrap_or(&path).display().to_string(), read(&path)?));
    }
    let architecture = source.architecture.name();
    if let Some(executable) = embedded(architecture).filter(|_| source.cargo_profile.is_none()) {
        return Ok(("this program".to_owned(), executable));
    }
    let why = match source.cargo_profile {
        Some(_) => "a cargo profile was named, but the current folder is not in a checkout",
        None => "this program carries none, and the current folder is not in a checkout to build one from",
    };
    Err(Error::new(format!("there is no function for {architecture}"))
        .cause(why)
        .exit(Exit::Usage)
        .hint("run the command in a checkout, name an executable with `--bootstrap FILE`, or use a program made by `make dist`"))
}

/// The executable for an architecture that this program carries. It is packaged again like any other, so that the package
/// has the same bytes as one that is built in a checkout.
fn embedded(architecture: &str) -> Option<Vec<u8>> {
    let (_, zip) = embedded::ALL.iter().find(|(name, _)| *name == architecture)?;
    Some(package::extract_executable(zip.to_vec()).expect("`make dist` embeds complete zips and tries them"))
}

/// The SHA-256 of the package for an architecture that is embedded in this program, if there is one.
#[must_use]
pub fn embedded_sha256(architecture: &str) -> Option<String> {
    package::pack(&embedded(architecture)?).ok().map(|package| package.sha256)
}

fn refuse(origin: &str, error: &package::Error) -> Error {
    Error::new(format!("cannot use `{origin}` as the function")).because(error).exit(Exit::Usage).hint(
        Hint::command("build").then(
            " builds a suitable one in a checkout; `--parameter Architecture=x86_64` selects the other architecture",
        ),
    )
}

fn read(path: &Path) -> Result<Vec<u8>> {
    file::read(path, package::LARGEST)
        .map_err(|error| Error::new(format!("cannot read `{}`", path.display())).because(&error))
}

/// The root of the checkout around the current folder, if there is one.
pub(crate) fn checkout() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .find(|folder| folder.join("function/Cargo.toml").is_file() && folder.join("templates/stack.yaml").is_file())
        .map(Path::to_path_buf)
}

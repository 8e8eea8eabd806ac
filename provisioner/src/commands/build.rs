//! `provisioner build`

use std::path::PathBuf;

use crate::bootstrap::{self, Source};
use crate::context::Global;
use crate::core::event::Event;
use crate::error::{Error, Exit, Result};
use crate::package::Architecture;
use crate::ui::Events;

/// Build and package the function, nothing else: path, size, sha256
#[derive(Debug, clap::Args)]
pub struct Build {
    /// The processor to build for: `arm64` or `x86_64`
    #[arg(long, value_name = "NAME", default_value = "arm64")]
    pub architecture: String,
    /// Package this executable instead of building one
    #[arg(long, value_name = "FILE")]
    pub bootstrap: Option<PathBuf>,
    /// Write the package here
    #[arg(long, value_name = "FILE", default_value = "target/function.zip")]
    pub zip: PathBuf,
}

/// Runs it.
///
/// # Errors
/// The build fails, or the file cannot be written.
pub async fn run(args: &Build, global: &Global, events: &Events) -> Result<()> {
    let architecture = match args.architecture.as_str() {
        _ if global.local => Architecture::of_this_machine(),
        name => Architecture::of_name(name).ok_or_else(|| {
            Error::new(format!("there is no architecture `{name}`")).exit(Exit::Usage).hint("it is `arm64` or `x86_64`")
        })?,
    };
    let source = Source { file: args.bootstrap.clone(), architecture, for_this_machine: global.local };
    let package = bootstrap::package(&source, events).await?;
    let written = args
        .zip
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&args.zip, &package.zip));
    written.map_err(|error| Error::new(format!("cannot write `{}`", args.zip.display())).because(&error))?;
    events.emit(Event::PackageWritten {
        file: args.zip.display().to_string(),
        executable_bytes: package.executable_bytes,
        zip_bytes: package.zip.len(),
        sha256: package.sha256,
    });
    Ok(())
}

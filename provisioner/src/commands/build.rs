//! `provisioner build`

use std::path::PathBuf;

use crate::bootstrap::{self, FunctionOptions};
use crate::context::Global;
use crate::core::event::Event;
use crate::error::{Error, Exit, Result};
use crate::package::Architecture;
use crate::ui::Events;

/// Build and package the function without deploying it
///
/// Prints the path, the sizes and the SHA-256 of the package.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner build --architecture x86_64 --zip function.zip")]
pub struct Build {
    /// Architecture to build for: `arm64` or `x86_64`; with `--local` always that of this machine
    #[arg(long, value_name = "NAME", default_value = "arm64")]
    pub architecture: String,
    /// Where the function comes from.
    #[command(flatten)]
    pub function: FunctionOptions,
    /// File to write the package to
    #[arg(long, value_name = "FILE", default_value = "target/function.zip")]
    pub zip: PathBuf,
}

/// Writes the package to a file.
pub async fn run(args: &Build, global: &Global, events: &Events) -> Result<()> {
    let architecture = match args.architecture.as_str() {
        _ if global.local => Architecture::of_this_machine(),
        name => Architecture::of_name(name).ok_or_else(|| {
            Error::new(format!("unknown architecture `{name}`")).exit(Exit::Usage).hint("use `arm64` or `x86_64`")
        })?,
    };
    let package = bootstrap::package(&args.function.source(architecture, global.local), events).await?;
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

//! `provisioner smoke`

use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::steps::smoke::{self, Options};

/// Verify that the deployed system works: upload a picture, check its rows, clean up
///
/// The picture is uploaded under a key with a space, a `+` and a non-ASCII letter. Every attribute of its rows is checked, and so is the live
/// configuration of the function. Exits with 3 if the system does not work, and names the step that failed.
#[derive(Clone, Debug, clap::Args)]
pub struct Smoke {
    /// Also test a picture without faces, one with two faces, and a broken one
    #[arg(long)]
    pub full: bool,
    /// Seconds to wait for the rows of a picture
    #[arg(long, value_name = "SECONDS", default_value_t = smoke::TIMEOUT)]
    pub timeout: u64,
    /// Write the result as `JUnit` XML for CI; with several regions, one `FILE-REGION.xml` per region
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Runs the command in one region.
///
/// # Errors
/// There is no stack, or the system does not work.
pub async fn run(args: &Smoke, cx: &Context) -> Result<Exit> {
    let options = Options { full: args.full, timeout: args.timeout, junit: args.junit.clone() };
    smoke::run(cx, &options).await
}

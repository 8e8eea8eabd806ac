//! `provisioner smoke`

use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::steps::smoke::{self, Options};
use crate::steps::summary::SummaryOptions;

/// Verify that the deployed system works: upload a picture, check its rows, clean up
///
/// The key of the picture contains a space, a `+`, and a non-ASCII letter. The test checks every attribute of the rows
/// and the live configuration of the function. If the system does not work, the command names the step that failed and
/// exits with 3.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner smoke --region eu-west-1 --full --junit smoke.xml")]
pub struct Smoke {
    /// Where the summary goes.
    #[command(flatten)]
    pub summary: SummaryOptions,
    /// Also test a picture without faces, one with two faces, and a file that is not a picture
    #[arg(long)]
    pub full: bool,
    /// Also upload a picture to each attached bucket; whoever else uses the bucket's events sees it, too
    #[arg(long)]
    pub write_attached: bool,
    /// Seconds to wait for the rows of a picture
    #[arg(long, value_name = "SECONDS", default_value_t = smoke::TIMEOUT)]
    pub timeout: u64,
    /// Write the result as JUnit XML for CI; with several regions, write one `FILE-REGION.xml` per region
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Runs the command in one region.
pub async fn run(args: &Smoke, cx: &Context) -> Result<Exit> {
    let options = Options {
        full: args.full,
        write_attached: args.write_attached,
        timeout: args.timeout,
        junit: args.junit.clone(),
    };
    smoke::run(cx, &options).await
}

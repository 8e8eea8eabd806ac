//! `provisioner policy`

use crate::context::Global;
use crate::core::event::Event;
use crate::core::{names, policy, regions};
use crate::error::{Error, Exit, Result};
use crate::ui::Events;

/// Print the least IAM policy that a deployer needs for this stack
///
/// Without `--account` and `--region` the ARNs hold `*` in their place. Nothing is asked of AWS.
#[derive(Debug, clap::Args)]
pub struct Policy {
    /// The command that it is for
    #[arg(long = "for", value_name = "COMMAND", default_value = "all")]
    pub purpose: Purpose,
    /// Account of the deployment, twelve digits
    #[arg(long, value_name = "ACCOUNT", default_value = "*")]
    pub account: String,
    /// Name of the table, where it is not `FaceData`
    #[arg(long, value_name = "NAME", default_value = "FaceData")]
    pub table: String,
    /// Name of the bucket for pictures, where it is not computed from the stack's name
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
}

/// The commands that a policy can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// `up` and `plan`
    Up,
    /// `smoke` and `detect`
    Smoke,
    /// `down`
    Down,
    /// Every command
    All,
}

/// Runs it.
///
/// # Errors
/// A name is wrong, or the regions are of several partitions.
pub fn run(args: &Policy, global: &Global, events: &Events) -> Result<()> {
    global.check_names()?;
    if args.account != "*" && !(args.account.len() == 12 && args.account.chars().all(|c| c.is_ascii_digit())) {
        return Err(Error::new(format!("`{}` is no AWS account", args.account))
            .exit(Exit::Usage)
            .hint("an account has twelve digits; `aws sts get-caller-identity` prints yours"));
    }
    let regions: Vec<&str> = global.region.iter().map(String::as_str).collect();
    let partition = regions.first().map_or("aws", |region| regions::partition_of(region));
    if regions.iter().any(|region| regions::partition_of(region) != partition) {
        return Err(Error::new("one policy cannot serve regions of several partitions")
            .exit(Exit::Usage)
            .hint("print one for each partition"));
    }
    let region = if let [only] = regions.as_slice() { only } else { "*" };
    let bucket = args.bucket.clone().unwrap_or_else(|| names::picture_bucket(&global.stack, &args.account, region));
    let document = policy::document(
        match args.purpose {
            Purpose::Up => policy::Purpose::Up,
            Purpose::Smoke => policy::Purpose::Smoke,
            Purpose::Down => policy::Purpose::Down,
            Purpose::All => policy::Purpose::All,
        },
        &policy::Scope {
            partition,
            account: &args.account,
            regions: &regions,
            stack: &global.stack,
            table: &args.table,
            bucket: &bucket,
            artefacts: &names::package_bucket(&args.account, region),
        },
    );
    events.emit(Event::Document { text: format!("{document:#}") });
    Ok(())
}

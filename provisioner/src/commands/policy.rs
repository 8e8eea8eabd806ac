//! `provisioner policy`

use super::names::Names;
use crate::context::Global;
use crate::core::event::Event;
use crate::core::policy::{self, Purpose};
use crate::core::{names, regions};
use crate::error::{Error, Exit, Result};
use crate::ui::Events;

/// Print the least IAM policies that a deployer needs for this stack
///
/// Each document fits into one managed policy. `--for all` prints an object of named documents; attach those that you
/// need. Without `--account` and `--region`, the ARNs have `*` in their place. The command sends no request to AWS.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioner policy --for up --account 123456789012 --region eu-west-1")]
pub struct Policy {
    /// What the policy is for
    #[arg(long = "for", value_name = "PURPOSE", default_value = "all")]
    pub purpose: Purpose,
    /// Account of the deployment, twelve digits
    #[arg(long, value_name = "ACCOUNT", default_value = "*")]
    pub account: String,
    /// What the parts are called.
    #[command(flatten)]
    pub names: Names,
    /// CloudFormation's service role: print the smaller policy of a deployer who passes this role, and the role's own
    /// policy
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
}

/// Prints the policies.
pub fn run(args: &Policy, global: &Global, events: &Events) -> Result<()> {
    global.check_names()?;
    if args.account != "*" && !names::is_account(&args.account) {
        return Err(Error::new(format!("`{}` is not an AWS account", args.account))
            .exit(Exit::Usage)
            .hint("an account has twelve digits; `aws sts get-caller-identity` prints yours"));
    }
    if let Some(arn) = args.role_arn.as_ref().filter(|arn| !names::is_role_arn(arn)) {
        return Err(Error::new(format!("`{arn}` is not the ARN of a role")).exit(Exit::Usage).hint(
            "it looks like `arn:aws:iam::123456789012:role/NAME`; `aws iam get-role --role-name NAME` prints it",
        ));
    }
    args.names.check()?;
    let regions: Vec<&str> = global.region.iter().map(String::as_str).collect();
    let partition = regions.first().map_or("aws", |region| regions::partition_of(region));
    if regions.iter().any(|region| regions::partition_of(region) != partition) {
        return Err(Error::new("one policy cannot cover regions of several partitions")
            .exit(Exit::Usage)
            .hint("print one policy per partition"));
    }
    let region = if let [only] = regions.as_slice() { only } else { "*" };
    let bucket =
        args.names.bucket.clone().unwrap_or_else(|| names::picture_bucket(&global.stack, &args.account, region));
    let attached: Vec<&str> = args.names.attached.iter().map(String::as_str).collect();
    let scope = policy::Scope {
        partition,
        account: &args.account,
        regions: &regions,
        stack: &global.stack,
        table: &args.names.table,
        picture_bucket: &bucket,
        package_bucket: &names::package_bucket(&args.account, region),
        role_path: &args.names.role_path,
        boundary: args.names.permissions_boundary.as_deref(),
        attached: &attached,
    };
    let printed = policy::printed(args.purpose, args.role_arn.as_deref(), &scope);
    events.emit(Event::Document { text: format!("{printed:#}") });
    Ok(())
}

//! `provisioner ci`

use crate::context::Global;
use crate::core::event::Event;
use crate::core::github::{self, Setup};
use crate::core::names;
use crate::error::{Error, Exit, Result};
use crate::ui::Events;

/// Print what a CI system needs to deploy without stored credentials
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  provisioner ci github --repo octocat/faces --region eu-west-1")]
pub enum Ci {
    /// Print an identity provider, a role, and a workflow for GitHub Actions
    ///
    /// The first document is a CloudFormation template. Its role can be assumed only by workflows of the repository that
    /// run for the branch or for a pull request, and has exactly the permissions that `policy` prints for `up`, `smoke`,
    /// and `down`. The second document is the workflow: `up`, `smoke`, and `down` for a pull request, in a stack whose
    /// name ends with `-pr`; `up` and `smoke` for the branch.
    #[command(
        after_help = "Examples:\n  provisioner ci github --repo octocat/faces --region eu-west-1\n  provisioner ci github --repo octocat/faces --region eu-west-1 --only role > role.yaml"
    )]
    Github(Github),
}

/// Options of `ci github`.
#[derive(Debug, clap::Args)]
pub struct Github {
    /// Repository
    #[arg(long, value_name = "OWNER/NAME", value_parser = github::check_repository)]
    pub repo: String,
    /// Branch that is deployed
    #[arg(long, value_name = "BRANCH", default_value = "main", value_parser = github::check_branch)]
    pub branch: String,
    /// Account of the deployment, twelve digits; without it, the permissions cover these names in any account
    #[arg(long, value_name = "ACCOUNT", default_value = "*")]
    pub account: String,
    /// Print only one of the two documents
    #[arg(long, value_name = "DOCUMENT")]
    pub only: Option<Only>,
}

/// A document of `ci github`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// The CloudFormation template of the provider and the role
    Role,
    /// The workflow
    Workflow,
}

/// Runs the command.
pub fn run(args: &Ci, global: &Global, events: &Events) -> Result<()> {
    let Ci::Github(args) = args;
    global.check_names()?;
    if args.account != "*" && !names::is_account(&args.account) {
        return Err(Error::new(format!("`{}` is not an AWS account", args.account))
            .exit(Exit::Usage)
            .hint("an account has twelve digits; `aws sts get-caller-identity` prints yours"));
    }
    let regions: Vec<&str> = global.region.iter().map(String::as_str).collect();
    if regions.is_empty() {
        return Err(Error::new("the workflow needs a region").exit(Exit::Usage).hint("add `--region eu-west-1`"));
    }
    let setup = Setup {
        repository: &args.repo,
        branch: &args.branch,
        account: &args.account,
        regions: &regions,
        stack: &global.stack,
    };
    setup.check().map_err(|(name, problem)| Error::new(format!("stack name `{name}` {problem}")).exit(Exit::Usage))?;
    let role = format!(
        "# Deploy this template once, for example as stack {0}-github, and set the repository variable\n\
         # PROVISIONER_ROLE_ARN to its output RoleArn. Pass ProviderExists=yes if the account has the provider already.\n{1}",
        global.stack,
        yaml(&setup.template())?
    );
    let workflow = format!("# .github/workflows/{}.yaml\n{}", global.stack, yaml(&setup.workflow())?);
    let text = match args.only {
        Some(Only::Role) => role,
        Some(Only::Workflow) => workflow,
        None => format!("{role}---\n{workflow}"),
    };
    events.emit(Event::Document { text });
    Ok(())
}

fn yaml(document: &serde_json::Value) -> Result<String> {
    let text = serde_yaml::to_string(document);
    // YAML 1.1 takes the versions of templates and policies for dates.
    text.map(|text| text.replace(": 2010-09-09", ": '2010-09-09'").replace(": 2012-10-17", ": '2012-10-17'"))
        .map_err(|error| Error::new("cannot write the document as YAML").because(&error))
}

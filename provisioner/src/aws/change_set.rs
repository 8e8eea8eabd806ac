//! Change sets: how an existing stack is changed, with the preview that a user confirms.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::Builder;
use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_sdk_cloudformation::error::SdkError;
use aws_sdk_cloudformation::operation::create_change_set::CreateChangeSetError;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, DeploymentConfig, DeploymentConfigMode, DeploymentMode,
    ExecutionStatus, Replacement, RequiresRecreation, ResourceChange,
};

use super::describe_events;
use super::error::{code, explain};
use super::pace::Pace;
use super::stack::{parameters_to_sdk, refused, tags_to_sdk};
use crate::clock;
use crate::core::diagnosis::diagnose;
use crate::core::hint::Hint;
use crate::core::plan::{Action, Change, Property};
use crate::error::{Error, Exit, Result};

/// The names of this tool's change sets begin so; whatever begins so and is old was left by a run that was interrupted.
pub const PREFIX: &str = "provisioner-";

/// The names of change sets that a plan file refers to begin with this; they are never swept.
const SAVED_PREFIX: &str = "provisioner-plan-";

/// What a change set is made of.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// The template's text.
    pub template: &'a str,
    /// All parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// Take over a table and bucket of these names that exist outside the stack.
    pub import_existing: bool,
    /// Create the stack rather than change it.
    pub create: bool,
    /// Every tag of the stack; CloudFormation removes those that are missing.
    pub tags: &'a BTreeMap<String, String>,
    /// The service role that CloudFormation acts with.
    pub role: Option<&'a str>,
    /// It belongs to a plan in a file, so it must outlive this run.
    pub saved: bool,
    /// How it is to be done.
    pub mode: Mode,
}

/// How a change set compares and is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Compare with what was deployed last, and wait until resources have settled.
    Standard,
    /// Do not wait until resources have settled; a failure is rolled back all the same.
    Express,
    /// Compare with what stands, and take back what was changed outside CloudFormation.
    RevertDrift,
}

/// A change set that is ready to be executed.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// What it would do to resources.
    pub changes: Vec<Change>,
    /// Whether it would change nothing at all, outputs included. CloudFormation makes none of that kind: this one is gone already.
    pub nothing: bool,
    /// Whether CloudFormation compared with what stands; an endpoint that cannot do that does not say so.
    pub reverts_drift: bool,
}

impl ChangeSet {
    /// Whether it brings existing resources into the stack.
    fn imports(&self) -> bool {
        self.changes.iter().any(|change| change.action == Action::Import)
    }
}

/// Makes a change set and waits until CloudFormation has worked it out.
///
/// # Errors
/// The request fails, or CloudFormation cannot make a change set of it; the failed one is removed again.
pub async fn create(client: &Client, request: &Request<'_>) -> Result<ChangeSet> {
    let prefix = if request.saved { SAVED_PREFIX } else { PREFIX };
    let name = format!("{prefix}{}-{}", clock::now_millis(), std::process::id());
    // The SDK takes a full list of change sets for throttling; asking for half a minute would not shorten it.
    let attempt = |attempts: u32| {
        let express = (request.mode == Mode::Express).then(|| {
            // Without this, express mode would leave a failed update where it stopped.
            DeploymentConfig::builder().mode(DeploymentConfigMode::Express).disable_rollback(false).build()
        });
        client
            .create_change_set()
            .stack_name(request.stack)
            .change_set_name(&name)
            .change_set_type(if request.create { ChangeSetType::Create } else { ChangeSetType::Update })
            .template_body(request.template)
            .set_parameters(Some(parameters_to_sdk(request.parameters)))
            .capabilities(Capability::CapabilityIam)
            .import_existing_resources(request.import_existing)
            // That a name is taken already is what the validation objects to, and what an import is about.
            .set_disable_validation(request.import_existing.then_some(true))
            .set_deployment_config(express)
            .set_deployment_mode((request.mode == Mode::RevertDrift).then_some(DeploymentMode::RevertDrift))
            .set_tags(Some(tags_to_sdk(request.tags)))
            .set_role_arn(request.role.map(ToOwned::to_owned))
            .client_token(&name)
            .customize()
            .config_override(Builder::default().retry_config(RetryConfig::standard().with_max_attempts(attempts)))
            .send()
    };
    let mut reply = attempt(2).await;
    let again = match reply.as_ref().err().and_then(code) {
        Some("LimitExceededException") => sweep(client, request.stack).await.unwrap_or(0) > 0,
        Some(code) => code.starts_with("Throttling"),
        None => false,
    };
    if again {
        reply = attempt(6).await;
    }
    let (id, stack_id) = match reply {
        Ok(reply) => {
            (reply.id.unwrap_or_else(|| name.clone()), reply.stack_id.unwrap_or_else(|| request.stack.to_owned()))
        }
        // The name is unique to this run, so the reply to an earlier attempt was lost.
        Err(error) if code(&error) == Some("AlreadyExistsException") => find(client, request.stack, &name).await?,
        Err(error) => return Err(not_made(request, &error)),
    };
    let pages = wait(client, &id, request.stack).await?;
    let last = pages.last();
    let reverts_drift = last.and_then(DescribeChangeSetOutput::deployment_mode) == Some(&DeploymentMode::RevertDrift);
    if last.and_then(|page| page.status.as_ref()) == Some(&ChangeSetStatus::Failed) {
        let reason = last.and_then(|page| page.status_reason.clone()).unwrap_or_default();
        if is_empty_change(&reason) {
            discard(client, &id).await;
            return Ok(ChangeSet { id, stack_id, changes: Vec::new(), nothing: true, reverts_drift });
        }
        let failed =
            Error::new(format!("CloudFormation cannot make a change set for stack `{}`", request.stack)).cause(reason);
        // The reason names only the check; the property is in the events, and those go with the change set.
        let (events, advice) = tokio::join!(
            describe_events::of_change_set(client, &id),
            describe_events::advice_on_change_set(client, &id)
        );
        let diagnosis = diagnose(&events);
        let failed = advice.into_iter().fold(failed, |failed, advice| failed.cause(format!("the hook says: {advice}")));
        discard(client, &id).await;
        return Err(match diagnosis {
            Some(diagnosis) => {
                let failed = failed
                    .cause(format!("{} ({}): {}", diagnosis.logical_id, diagnosis.resource_type, diagnosis.reason));
                let statement =
                    diagnosis.denied.map(|d| Hint::from(format!("this statement would allow it: {}", d.statement())));
                let failed = statement.into_iter().fold(failed, Error::hint);
                diagnosis.kind.remedy().into_iter().fold(failed, Error::hint)
            }
            None => failed,
        });
    }
    Ok(ChangeSet { id, stack_id, changes: changes(&pages), nothing: false, reverts_drift })
}

/// A change set of a saved plan.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The change set.
    pub change_set: ChangeSet,
    /// Its parameters with their values.
    pub parameters: BTreeMap<String, String>,
}

/// A change set that was made earlier; `None` if it is gone or can no longer be executed.
pub async fn saved(client: &Client, id: &str) -> Result<Option<Saved>> {
    let request = client.describe_change_set().change_set_name(id).include_property_values(true);
    let pages: std::result::Result<Vec<_>, _> = request.into_paginator().send().collect().await;
    let pages = match pages {
        Ok(pages) => pages,
        Err(error) if code(&error).is_some_and(|code| code.starts_with("ChangeSetNotFound")) => return Ok(None),
        Err(error) => return Err(explain("cannot describe the plan's change set", &error)),
    };
    let available = |page: &DescribeChangeSetOutput| page.execution_status == Some(ExecutionStatus::Available);
    let Some(first) = pages.first().filter(|page| available(page)) else { return Ok(None) };
    let parameters = first.parameters().iter();
    let parameters =
        parameters.filter_map(|p| Some((p.parameter_key()?.to_owned(), p.parameter_value()?.to_owned()))).collect();
    let change_set = ChangeSet {
        id: id.to_owned(),
        stack_id: first.stack_id().unwrap_or_default().to_owned(),
        changes: changes(&pages),
        nothing: false,
        reverts_drift: false,
    };
    Ok(Some(Saved { change_set, parameters }))
}

/// What a change set would do to resources.
fn changes(pages: &[DescribeChangeSetOutput]) -> Vec<Change> {
    let all = pages.iter().flat_map(DescribeChangeSetOutput::changes);
    all.filter_map(|change| change.resource_change()).map(from_sdk).collect()
}

/// The ARNs of a change set and of its stack, by its name.
async fn find(client: &Client, stack: &str, name: &str) -> Result<(String, String)> {
    let reply = client.describe_change_set().stack_name(stack).change_set_name(name).send().await;
    let reply =
        reply.map_err(|error| explain(format!("cannot describe the change set for stack `{stack}`"), &error))?;
    Ok((reply.change_set_id.unwrap_or_default(), reply.stack_id.unwrap_or_else(|| stack.to_owned())))
}

fn not_made(request: &Request<'_>, error: &SdkError<CreateChangeSetError>) -> Error {
    let limit = code(error) == Some("LimitExceededException");
    let explained = refused(format!("cannot create a change set for stack `{}`", request.stack), error);
    if !limit {
        return explained;
    }
    explained.exit(Exit::Blocked).hint(Hint::from("delete some that nobody needs: ").then_shell([
        "aws",
        "cloudformation",
        "list-change-sets",
        "--stack-name",
        request.stack,
    ]))
}

/// Starts a change set. A failed update rolls back; data resources that it made stay only if the stack does.
pub async fn execute(client: &Client, change_set: &ChangeSet, token: Option<String>) -> Result<()> {
    client
        .execute_change_set()
        .change_set_name(&change_set.id)
        .set_client_request_token(token)
        // What an import brings in was not created by it.
        .set_retain_except_on_create((!change_set.imports()).then_some(true))
        .send()
        .await
        .map(|_| ())
        .map_err(|error| {
            let outdated = matches!(
                code(&error),
                Some(
                    "InvalidChangeSetStatus"
                        | "InvalidChangeSetStatusException"
                        | "ChangeSetNotFound"
                        | "ChangeSetNotFoundException"
                )
            );
            let explained = refused(format!("cannot execute change set `{}`", change_set.id), &error);
            if outdated {
                explained.exit(Exit::Blocked).hint(
                    "somebody else changed the stack after this plan was made: run the same command again for a new plan",
                )
            } else {
                explained
            }
        })
}

/// Removes this tool's change sets that were left unexecuted for an hour or more, and returns how many those were.
pub async fn sweep(client: &Client, stack: &str) -> Result<usize> {
    let all = list(client, stack).await?;
    let now = clock::now().as_secs();
    let stale = all.iter().filter(|summary| {
        let made = summary.creation_time().map_or(i64::MAX, aws_sdk_cloudformation::primitives::DateTime::secs);
        let idle = matches!(
            summary.execution_status(),
            Some(ExecutionStatus::Available | ExecutionStatus::Unavailable | ExecutionStatus::Obsolete)
        );
        let saved = summary.change_set_name().is_some_and(|name| name.starts_with(SAVED_PREFIX));
        idle && !saved
            && is_ours(summary.change_set_name())
            && u64::try_from(made).is_ok_and(|made| made + STALE_AFTER <= now)
    });
    let mut swept = 0;
    for id in stale.filter_map(|summary| summary.change_set_id()) {
        discard(client, id).await;
        swept += 1;
    }
    Ok(swept)
}

/// The change sets of a stack that this tool did not make.
pub async fn foreign(client: &Client, stack: &str) -> Result<Vec<String>> {
    let all = list(client, stack).await?;
    Ok(all.into_iter().filter_map(|summary| summary.change_set_name).filter(|name| !is_ours(Some(name))).collect())
}

/// Seconds after which nobody is taken to be looking at a plan any more.
const STALE_AFTER: u64 = 3_600;

fn is_ours(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.starts_with(PREFIX))
}

async fn list(client: &Client, stack: &str) -> Result<Vec<aws_sdk_cloudformation::types::ChangeSetSummary>> {
    client
        .list_change_sets()
        .stack_name(stack)
        .into_paginator()
        .items()
        .send()
        .collect::<std::result::Result<_, _>>()
        .await
        .map_err(|error| explain(format!("cannot list the change sets of stack `{stack}`"), &error))
}

/// Removes a change set that nobody will execute. It costs nothing to leave one, so a failure is no error.
pub async fn discard(client: &Client, id: &str) {
    let _ = client.delete_change_set().change_set_name(id).send().await;
}

async fn wait(client: &Client, id: &str, stack: &str) -> Result<Vec<DescribeChangeSetOutput>> {
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(2));
    loop {
        let pages: Vec<_> = client
            .describe_change_set()
            .change_set_name(id)
            .include_property_values(true)
            .into_paginator()
            .send()
            .collect::<std::result::Result<_, _>>()
            .await
            .map_err(|error| explain(format!("cannot describe the change set for stack `{stack}`"), &error))?;
        match pages.last().and_then(|page| page.status.clone()) {
            Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => pace.wait().await,
            Some(_) => return Ok(pages),
            None => {
                return Err(Error::new(format!(
                    "CloudFormation described the change set for stack `{stack}` without a status"
                )));
            }
        }
    }
}

fn is_empty_change(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

fn from_sdk(change: &ResourceChange) -> Change {
    let action = match (change.action(), change.replacement()) {
        (Some(ChangeAction::Add), _) => Action::Add,
        (Some(ChangeAction::Remove), _) => Action::Remove,
        (Some(ChangeAction::Import), _) => Action::Import,
        (Some(ChangeAction::SyncWithActual), _) => Action::Acknowledge,
        (_, Some(Replacement::True)) => Action::Replace,
        (_, Some(Replacement::Conditional)) => Action::MayReplace,
        _ => Action::Modify,
    };
    let properties = change.details().iter().filter_map(|detail| {
        let target = detail.target()?;
        let path =
            target.path().map(ToOwned::to_owned).or_else(|| target.name().map(|name| format!("/Properties/{name}")))?;
        let recreates = matches!(target.requires_recreation(), Some(RequiresRecreation::Always));
        // What stands goes before what was deployed.
        let actual = target.drift().and_then(|drift| drift.actual_value());
        Some(Property {
            path,
            before: actual.or(target.before_value()).map(ToOwned::to_owned),
            after: target.after_value().map(ToOwned::to_owned),
            recreates,
            effect: None,
        })
    });
    let mut properties: Vec<Property> = properties.collect();
    properties.sort_by(|a, b| a.path.cmp(&b.path));
    // One property is listed once for its own change and once for each parameter behind it.
    properties.dedup_by(|a, b| a.path == b.path);
    Change {
        action,
        logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
        resource_type: change.resource_type().unwrap_or_default().to_owned(),
        policy_action: change.policy_action().map(|policy| policy.as_str().to_owned()),
        properties,
    }
}

//! Change sets, which preview the changes of a stack and execute them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::Builder;
use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_sdk_cloudformation::error::SdkError;
use aws_sdk_cloudformation::operation::create_change_set::CreateChangeSetError;
use aws_sdk_cloudformation::operation::describe_change_set::{DescribeChangeSetError, DescribeChangeSetOutput};
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, DeploymentConfig, DeploymentConfigMode, DeploymentMode,
    ExecutionStatus, Replacement, RequiresRecreation, ResourceChange,
};

use super::describe_events;
use super::error::{GONE, code, explain};
use super::pace::Pace;
use super::stack::{parameters_to_sdk, refused, started_with, tags_to_sdk};
use crate::clock;
use crate::core::diagnosis::diagnose;
use crate::core::hint::Hint;
use crate::core::plan::{Action, Change, Property};
use crate::error::{Error, Exit, Result};

/// The prefix of the names of this tool's change sets. Old ones were left by interrupted runs.
pub const PREFIX: &str = "provisioner-";

/// The prefix of the names of change sets that belong to saved plans; these are not deleted automatically.
const SAVED_PREFIX: &str = "provisioner-plan-";

/// The input of a change set.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// The template's text.
    pub template: &'a str,
    /// All parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// Whether to import an existing table and bucket with these names.
    pub import_existing: bool,
    /// Whether to create the stack instead of updating it.
    pub create: bool,
    /// Every tag of the stack; CloudFormation removes those that are missing.
    pub tags: &'a BTreeMap<String, String>,
    /// The service role that CloudFormation uses.
    pub role: Option<&'a str>,
    /// Whether it belongs to a saved plan, so it must outlive this run.
    pub saved: bool,
    /// The deployment mode.
    pub mode: Mode,
}

/// The deployment mode of a change set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Compare with the last deployed template, and wait until resources have stabilized.
    Standard,
    /// Do not wait until resources have stabilized. A failed update is rolled back as usual.
    Express,
    /// Compare with the actual resources, and revert changes that were made outside CloudFormation.
    RevertDrift,
}

/// A change set that is ready to be executed.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// The change set's ARN.
    pub id: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The changes of resources.
    pub changes: Vec<Change>,
    /// Whether there are no changes at all, not even of outputs. CloudFormation refuses such a change set, so it was
    /// deleted.
    pub nothing: bool,
    /// Whether CloudFormation compared with the actual resources. Endpoints without this feature ignore the request.
    pub reverts_drift: bool,
}

impl ChangeSet {
    /// Whether it brings existing resources into the stack.
    fn imports(&self) -> bool {
        self.changes.iter().any(|change| change.action == Action::Import)
    }
}

/// Creates a change set and waits until CloudFormation has computed it.
///
/// # Errors
/// A request fails, or CloudFormation cannot create the change set; a failed change set is deleted.
pub async fn create(client: &Client, request: &Request<'_>) -> Result<ChangeSet> {
    let prefix = if request.saved { SAVED_PREFIX } else { PREFIX };
    let name = format!("{prefix}{}-{}", clock::now_millis(), std::process::id());
    // The SDK treats the limit on change sets as throttling, but retries for half a minute would not help.
    let attempt = |attempts: u32| {
        let express = (request.mode == Mode::Express).then(|| {
            // Otherwise, express mode does not roll back a failed update.
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
            // The validation rejects names that are already taken, but an import needs them.
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
        // The name is unique to this run, so an earlier attempt succeeded but its reply was lost.
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
        // An emulator does not tell beforehand that another stack has a resource.
        let taken = request.import_existing && reason.contains("already exists in stack");
        let failed = Error::new(format!("CloudFormation cannot create a change set for stack `{}`", request.stack))
            .exit(if taken { Exit::Refused } else { Exit::Failed })
            .cause(reason);
        // The reason names only the check. The events name the property, but they are deleted with the change set.
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
                diagnosis.remedies().into_iter().fold(failed, Error::hint)
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

/// Returns the change set of a saved plan; `None` if it is gone or can no longer be executed.
pub async fn saved(client: &Client, id: &str) -> Result<Option<Saved>> {
    let request = client.describe_change_set().change_set_name(id).include_property_values(true);
    let pages: std::result::Result<Vec<_>, _> = request.into_paginator().send().collect().await;
    let pages = match pages {
        Ok(pages) => pages,
        Err(error) if is_gone(&error) => return Ok(None),
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

/// The changes of resources in a change set.
fn changes(pages: &[DescribeChangeSetOutput]) -> Vec<Change> {
    let all = pages.iter().flat_map(DescribeChangeSetOutput::changes);
    all.filter_map(|change| change.resource_change()).map(from_sdk).collect()
}

/// Finds the ARNs of a change set and of its stack by the name of the change set.
async fn find(client: &Client, stack: &str, name: &str) -> Result<(String, String)> {
    let reply = client.describe_change_set().stack_name(stack).change_set_name(name).send().await;
    let reply = reply.map_err(|error| not_described(stack, &error))?;
    Ok((reply.change_set_id.unwrap_or_default(), reply.stack_id.unwrap_or_else(|| stack.to_owned())))
}

/// A change set that this run has created is gone if its stack was deleted in the meantime.
fn not_described(stack: &str, error: &SdkError<DescribeChangeSetError>) -> Error {
    let explained = explain(format!("cannot describe the change set for stack `{stack}`"), error);
    if is_gone(error) { explained.exit(Exit::Blocked).hint(GONE) } else { explained }
}

fn is_gone(error: &SdkError<DescribeChangeSetError>) -> bool {
    code(error).is_some_and(|code| code.starts_with("ChangeSetNotFound"))
}

fn not_made(request: &Request<'_>, error: &SdkError<CreateChangeSetError>) -> Error {
    let limit = code(error) == Some("LimitExceededException");
    let explained = refused(format!("cannot create a change set for stack `{}`", request.stack), error);
    if !limit {
        return explained;
    }
    explained.exit(Exit::Blocked).hint(Hint::from("delete unused change sets; to list them, run ").then_shell([
        "aws",
        "cloudformation",
        "list-change-sets",
        "--stack-name",
        request.stack,
    ]))
}

/// Starts the execution of a change set. A failed update is rolled back, including data resources that it created.
pub async fn execute(client: &Client, change_set: &ChangeSet, token: Option<String>) -> Result<()> {
    let sent = client
        .execute_change_set()
        .change_set_name(&change_set.id)
        .set_client_request_token(token.clone())
        // What an import brings in was not created by it.
        .set_retain_except_on_create((!change_set.imports()).then_some(true))
        .send()
        .await;
    let Err(error) = sent else { return Ok(()) };
    let outdated = matches!(
        code(&error),
        Some(
            "InvalidChangeSetStatus"
                | "InvalidChangeSetStatusException"
                | "ChangeSetNotFound"
                | "ChangeSetNotFoundException"
        )
    );
    if outdated && started_with(client, &change_set.stack_id, token.as_deref()).await.is_some() {
        return Ok(());
    }
    let explained = refused(format!("cannot execute change set `{}`", change_set.id), &error);
    if outdated {
        return Err(explained
            .exit(Exit::Blocked)
            .hint("the stack was changed after this plan was made; run the same command again to make a new plan"));
    }
    Err(explained)
}

/// Deletes this tool's change sets that have not been executed for an hour or more, and returns their number.
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

/// The names of the stack's change sets that this tool did not create.
pub async fn foreign(client: &Client, stack: &str) -> Result<Vec<String>> {
    let all = list(client, stack).await?;
    Ok(all.into_iter().filter_map(|summary| summary.change_set_name).filter(|name| !is_ours(Some(name))).collect())
}

/// Seconds after which a plan is assumed to be abandoned.
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

/// Deletes a change set that will not be executed. A failure is ignored, because unused change sets do no harm.
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
            .map_err(|error| not_described(stack, &error))?;
        match pages.last().and_then(|page| page.status.clone()) {
            Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => pace.wait().await,
            Some(_) => return Ok(pages),
            None => {
                return Err(Error::new(format!(
                    "CloudFormation did not return the status of the change set for stack `{stack}`"
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
        // The actual value takes precedence over the deployed one.
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
    // A property is listed once for its own change and once for each parameter that causes it.
    properties.dedup_by(|a, b| a.path == b.path);
    Change {
        action,
        logical_id: change.logical_resource_id().unwrap_or_default().to_owned(),
        resource_type: change.resource_type().unwrap_or_default().to_owned(),
        policy_action: change.policy_action().map(|policy| policy.as_str().to_owned()),
        properties,
    }
}

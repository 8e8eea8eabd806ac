//! Change sets: how an existing stack is changed, with the preview that a user confirms.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction, ChangeSetStatus, ChangeSetType, Replacement, RequiresRecreation, ResourceChange,
};

use super::error::explain;
use super::follow::Pace;
use super::stack::{owner_tag, to_sdk};
use crate::core::plan::{Action, Change, Property};
use crate::error::{Error, Result};

/// The names of this tool's change sets begin so; whatever begins so and is old was left by a run that was interrupted.
pub const PREFIX: &str = "provisioner-";

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
}

/// A change set that is ready to be executed.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// What it would do; empty where it would do nothing.
    pub changes: Vec<Change>,
}

/// Makes a change set and waits until CloudFormation has worked it out.
///
/// # Errors
/// The request fails, or CloudFormation cannot make a change set of it; the failed one is removed again.
pub async fn create(client: &Client, request: &Request<'_>) -> Result<ChangeSet> {
    let name = format!("{PREFIX}{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis());
    let reply = client
        .create_change_set()
        .stack_name(request.stack)
        .change_set_name(&name)
        .change_set_type(if request.create { ChangeSetType::Create } else { ChangeSetType::Update })
        .template_body(request.template)
        .set_parameters(Some(to_sdk(request.parameters)))
        .capabilities(Capability::CapabilityIam)
        .import_existing_resources(request.import_existing)
        .tags(owner_tag())
        .send()
        .await
        .map_err(|error| explain(format!("cannot make a change set for stack `{}`", request.stack), &error))?;
    let (id, stack_id) = (reply.id.unwrap_or(name), reply.stack_id.unwrap_or_else(|| request.stack.to_owned()));
    let pages = wait(client, &id, request.stack).await?;
    let last = pages.last();
    if last.and_then(|page| page.status.as_ref()) == Some(&ChangeSetStatus::Failed) {
        let reason = last.and_then(|page| page.status_reason.clone()).unwrap_or_default();
        discard(client, &id).await;
        if is_empty_change(&reason) {
            return Ok(ChangeSet { id, stack_id, changes: Vec::new() });
        }
        return Err(
            Error::new(format!("CloudFormation cannot make a change set for stack `{}`", request.stack)).cause(reason)
        );
    }
    let changes = pages
        .iter()
        .flat_map(DescribeChangeSetOutput::changes)
        .filter_map(|change| change.resource_change())
        .map(from_sdk)
        .collect();
    Ok(ChangeSet { id, stack_id, changes })
}

/// Starts a change set. A failed update rolls back; data resources that it made stay only if the stack does.
///
/// # Errors
/// Any failure of the request.
pub async fn execute(client: &Client, change_set: &ChangeSet) -> Result<()> {
    client
        .execute_change_set()
        .change_set_name(&change_set.id)
        .retain_except_on_create(true)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot execute change set `{}`", change_set.id), &error))
}

/// Removes a change set that nobody will execute. It costs nothing to leave one, so a failure is no error.
pub async fn discard(client: &Client, id: &str) {
    let _ = client.delete_change_set().change_set_name(id).send().await;
}

async fn wait(client: &Client, id: &str, stack: &str) -> Result<Vec<DescribeChangeSetOutput>> {
    let mut pace = Pace::new(Duration::from_millis(250), Duration::from_secs(2));
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
        (_, Some(Replacement::True)) => Action::Replace,
        (_, Some(Replacement::Conditional)) => Action::MayReplace,
        _ => Action::Modify,
    };
    let properties = change.details().iter().filter_map(|detail| {
        let target = detail.target()?;
        let path =
            target.path().map(ToOwned::to_owned).or_else(|| target.name().map(|name| format!("/Properties/{name}")))?;
        let recreates = matches!(target.requires_recreation(), Some(RequiresRecreation::Always));
        Some(Property {
            path,
            before: target.before_value().map(ToOwned::to_owned),
            after: target.after_value().map(ToOwned::to_owned),
            recreates,
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

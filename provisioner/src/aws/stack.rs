//! Describes, creates, updates and deletes stacks.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksError;
use aws_sdk_cloudformation::types::{Capability, DeletionMode, OnFailure, Parameter, Tag, TemplateStage};

use super::error::{HasStatus, code, explain, message};
use crate::core::hint::Hint;
use crate::core::names::OWNER_TAG;
use crate::core::status::{ResourceStatus, StackStatus};
use crate::error::{Error, Exit, Result};

/// A stack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The ARN, which identifies the stack even after its deletion.
    pub id: String,
    /// The name.
    pub name: String,
    /// The status.
    pub status: StackStatus,
    /// The reason for the status.
    pub reason: Option<String>,
    /// The deployed parameters.
    pub parameters: BTreeMap<String, String>,
    /// The outputs.
    pub outputs: BTreeMap<String, String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// Whether the stack has termination protection.
    pub protected: bool,
    /// The service role that CloudFormation acts with.
    pub role: Option<String>,
    /// The time of the creation or the last update in milliseconds since the Unix epoch.
    pub changed_at: i64,
    /// The ids of the last operations, newest first; empty if the endpoint does not return them.
    pub operations: Vec<String>,
}

impl Stack {
    /// Whether this tool created the stack.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.tags.get(OWNER_TAG.0).is_some_and(|value| value == OWNER_TAG.1)
    }

    /// Returns an output.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            Error::new(format!("stack `{}` has no output `{name}`", self.name)).hint(
                Hint::from("the stack may have been created from another template; ")
                    .then_command("template")
                    .then(" prints the built-in one"),
            )
        })
    }

    /// The stack's account, from its ARN.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.id.split(':').nth(4).filter(|account| !account.is_empty())
    }

    /// The stack's partition, from its ARN.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.id.split(':').nth(1).unwrap_or("aws")
    }
}

/// A resource of a stack.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The logical id.
    pub logical_id: String,
    /// For example `AWS::S3::Bucket`.
    pub resource_type: String,
    /// The name or ARN.
    pub physical_id: String,
    /// The status.
    pub status: ResourceStatus,
    /// The time of the last change, in milliseconds since the Unix epoch; 0 if it is unknown.
    pub changed_at: i64,
}

impl Resource {
    /// Whether the resource holds the user's data.
    #[must_use]
    pub fn is_data(&self) -> bool {
        matches!(self.resource_type.as_str(), "AWS::S3::Bucket" | "AWS::DynamoDB::Table")
    }
}

/// Describes a stack by name or ARN; `None` if it does not exist.
pub async fn describe(client: &Client, name: &str) -> Result<Option<Stack>> {
    ask(client, name).await.map_err(|error| explain(format!("cannot describe stack `{name}`"), &error))
}

/// Like [`describe`], but returns the service's own error.
pub(super) async fn ask(
    client: &Client,
    name: &str,
) -> std::result::Result<Option<Stack>, SdkError<DescribeStacksError>> {
    match client.describe_stacks().stack_name(name).send().await {
        Ok(reply) => Ok(reply.stacks.unwrap_or_default().into_iter().next().map(from_sdk)),
        Err(error)
            if code(&error) == Some("ValidationError")
                && message(&error).is_some_and(|text| text.contains("does not exist")) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn from_sdk(stack: aws_sdk_cloudformation::types::Stack) -> Stack {
    Stack {
        id: stack.stack_id.unwrap_or_default(),
        name: stack.stack_name.unwrap_or_default(),
        status: stack.stack_status.map_or(StackStatus::Unknown(String::new()), |status| status.as_str().into()),
        reason: stack.stack_status_reason,
        parameters: stack
            .parameters
            .unwrap_or_default()
            .into_iter()
            .filter_map(|p| Some((p.parameter_key?, p.parameter_value?)))
            .collect(),
        outputs: stack
            .outputs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|o| Some((o.output_key?, o.output_value?)))
            .collect(),
        tags: stack.tags.unwrap_or_default().into_iter().filter_map(|t| Some((t.key?, t.value?))).collect(),
        role: stack.role_arn,
        protected: stack.enable_termination_protection.unwrap_or(false),
        changed_at: stack
            .last_updated_time
            .or(stack.creation_time)
            .and_then(|at| at.to_millis().ok())
            .unwrap_or_default(),
        operations: stack.last_operations.unwrap_or_default().into_iter().filter_map(|o| o.operation_id).collect(),
    }
}

/// The deployed template of a stack.
pub async fn template(client: &Client, name: &str) -> Result<String> {
    let reply = client
        .get_template()
        .stack_name(name)
        .send()
        .await
        .map_err(|error| explain(format!("cannot read the template of stack `{name}`"), &error))?;
    Ok(reply.template_body.unwrap_or_default())
}

/// The template of a change set; `None` if the change set does not exist.
pub async fn template_of_change_set(client: &Client, change_set: &str) -> Result<Option<String>> {
    match client.get_template().change_set_name(change_set).template_stage(TemplateStage::Original).send().await {
        Ok(reply) => Ok(reply.template_body),
        Err(error) if code(&error).is_some_and(|code| code.starts_with("ChangeSetNotFound")) => Ok(None),
        Err(error) => Err(explain("cannot read the template of the plan's change set", &error)),
    }
}

/// The resources of a stack.
pub async fn resources(client: &Client, name: &str) -> Result<Vec<Resource>> {
    let summaries: Vec<_> = client
        .list_stack_resources()
        .stack_name(name)
        .into_paginator()
        .items()
        .send()
        .collect::<std::result::Result<_, _>>()
        .await
        .map_err(|error| explain(format!("cannot list the resources of stack `{name}`"), &error))?;
    Ok(summaries
        .into_iter()
        .filter_map(|summary| {
            Some(Resource {
                changed_at: summary.last_updated_timestamp.and_then(|at| at.to_millis().ok()).unwrap_or_default(),
                logical_id: summary.logical_resource_id?,
                resource_type: summary.resource_type?,
                physical_id: summary.physical_resource_id?,
                status: summary
                    .resource_status
                    .map_or(ResourceStatus::Unknown(String::new()), |status| status.as_str().into()),
            })
        })
        .collect())
}

/// The input of the creation of a stack.
#[derive(Clone, Copy, Debug)]
pub struct Creation<'a> {
    /// The stack's name.
    pub name: &'a str,
    /// The template's text.
    pub template: &'a str,
    /// Every parameter.
    pub parameters: &'a BTreeMap<String, String>,
    /// Every tag.
    pub tags: &'a BTreeMap<String, String>,
    /// The service role that CloudFormation uses instead of the caller's permissions.
    pub role: Option<&'a str>,
    /// The `ClientRequestToken`, unique to this run.
    pub token: &'a str,
}

/// Starts the creation of a stack and returns its ARN. If the creation fails, CloudFormation deletes the stack.
///
/// # Errors
/// The request fails. If somebody else has created the stack in the meantime, the exit code is that of a busy stack.
pub async fn create(client: &Client, creation: &Creation<'_>) -> Result<String> {
    let name = creation.name;
    let sent = client
        .create_stack()
        .stack_name(name)
        .template_body(creation.template)
        .set_parameters(Some(parameters_to_sdk(creation.parameters)))
        .capabilities(Capability::CapabilityIam)
        .on_failure(OnFailure::Delete)
        .retain_except_on_create(true)
        .set_tags(Some(tags_to_sdk(creation.tags)))
        .set_role_arn(creation.role.map(ToOwned::to_owned))
        .client_request_token(creation.token)
        .send()
        .await;
    if let Err(error) = &sent
        && code(error) == Some("AlreadyExistsException")
        && let Some(id) = started_with(client, name, Some(creation.token)).await
    {
        return Ok(id);
    }
    let reply = sent.map_err(|error| match code(&error) {
        Some("AlreadyExistsException") => explain(format!("somebody else has just created stack `{name}`"), &error)
            .exit(Exit::Blocked)
            .hint(Hint::command("up").then(" follows that deployment and then updates the stack")),
        _ => explain(format!("cannot create stack `{name}`"), &error),
    })?;
    reply.stack_id.ok_or_else(|| Error::new(format!("CloudFormation did not return the ARN of new stack `{name}`")))
}

/// The ARN of a stack, if one of its events has this token: an earlier attempt of the request succeeded, but its reply was
/// lost. `None` also if the events cannot be read, because the caller has an error already.
pub(super) async fn started_with(client: &Client, name: &str, token: Option<&str>) -> Option<String> {
    let token = token?;
    let mut pages = client.describe_stack_events().stack_name(name).into_paginator().send();
    while let Some(Ok(page)) = pages.next().await {
        if let Some(ours) = page.stack_events().iter().find(|event| event.client_request_token() == Some(token)) {
            return ours.stack_id().map(ToOwned::to_owned);
        }
    }
    None
}

/// The options of a deletion.
#[derive(Clone, Debug, Default)]
pub struct Deletion {
    /// The logical ids of resources to retain. CloudFormation accepts them only for a stack in `DELETE_FAILED`.
    pub retain: Vec<String>,
    /// Whether to delete the stack even if resources cannot be deleted.
    pub force: bool,
    /// Whether the bucket and the table are meant to outlive the stack. The template always retains them; the token
    /// tells later runs whether this was on purpose.
    pub keeps_data: bool,
    /// The service role to use instead of the one that the stack remembers.
    pub role: Option<String>,
}

/// Starts the deletion of a stack.
pub async fn delete(client: &Client, stack: &Stack, deletion: &Deletion, token: Option<String>) -> Result<()> {
    let mut request =
        client.delete_stack().stack_name(&stack.id).set_role_arn(deletion.role.clone()).set_client_request_token(token);
    if !deletion.retain.is_empty() {
        request = request.set_retain_resources(Some(deletion.retain.clone()));
    }
    if deletion.force {
        request = request.deletion_mode(DeletionMode::ForceDeleteStack);
    }
    request.send().await.map(|_| ()).map_err(|error| refused(format!("cannot delete stack `{}`", stack.name), &error))
}

/// Explains a refused request. If another operation is running, the exit code is that of a busy stack.
pub(super) fn refused<E, R>(attempt: String, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: HasStatus,
{
    let (code, text) = (code(error), message(error).unwrap_or_default());
    let busy = code.is_some_and(|code| code.starts_with("OperationInProgress"))
        || (text.contains("_IN_PROGRESS state") && code == Some("ValidationError"));
    let explained = explain(attempt, error);
    if busy {
        return explained
            .exit(Exit::Blocked)
            .hint("another operation is running on this stack; run the same command again to follow it and continue");
    }
    if text.contains("TerminationProtection") {
        return explained.exit(Exit::Refused).hint("the stack has termination protection; nothing was changed");
    }
    explained
}

/// How a failed rollback is continued.
#[derive(Clone, Debug)]
pub struct Continuation {
    /// The resources to leave unchanged.
    pub skip: Vec<String>,
    /// Whether CloudFormation selects them; then `skip` must be empty.
    pub force: bool,
    /// The service role, if the user named one.
    pub role: Option<String>,
    /// The token of the operation.
    pub token: Option<String>,
}

/// Continues a failed rollback.
pub async fn continue_rollback(client: &Client, stack: &Stack, how: Continuation) -> Result<()> {
    let Continuation { skip, force, role, token } = how;
    let mut request =
        client.continue_update_rollback().stack_name(&stack.id).set_role_arn(role).set_client_request_token(token);
    if !skip.is_empty() {
        request = request.set_resources_to_skip(Some(skip));
    }
    if force {
        request = request.force_rollback(true);
    }
    request
        .send()
        .await
        .map(|_| ())
        .map_err(|error| refused(format!("cannot continue the rollback of stack `{}`", stack.name), &error))
}

/// Cancels a running update, which rolls the stack back.
pub async fn cancel_update(client: &Client, name: &str, token: Option<String>) -> Result<()> {
    client
        .cancel_update_stack()
        .stack_name(name)
        .set_client_request_token(token)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| explain(format!("cannot cancel the update of stack `{name}`"), &error))
}

/// Updates only one parameter; the template, all other parameters, the tags, and the role are kept.
pub async fn update_parameter(
    client: &Client,
    stack: &Stack,
    name: &str,
    value: &str,
    token: Option<String>,
) -> std::result::Result<(), Refusal> {
    let parameter = |key: &String| {
        let parameter = Parameter::builder().parameter_key(key);
        if key == name { parameter.parameter_value(value).build() } else { parameter.use_previous_value(true).build() }
    };
    let sent = client
        .update_stack()
        .stack_name(&stack.id)
        .use_previous_template(true)
        .set_parameters(Some(stack.parameters.keys().map(parameter).collect()))
        .capabilities(Capability::CapabilityIam)
        .set_client_request_token(token.clone())
        .send()
        .await;
    match sent {
        Ok(_) => Ok(()),
        Err(error) if code(&error).is_some_and(|code| code.contains("AccessDenied")) => Err(Refusal::Denied),
        Err(_) if started_with(client, &stack.id, token.as_deref()).await.is_some() => Ok(()),
        // An emulator may have forgotten the template.
        Err(error) if message(&error).is_some_and(|message| message.contains("TemplateBody")) => Err(Refusal::Denied),
        Err(error) => Err(Refusal::Failed(refused(format!("cannot update stack `{}`", stack.name), &error))),
    }
}

/// Why an update was not started.
#[derive(Debug)]
pub enum Refusal {
    /// The organization or the caller's policy denies `UpdateStack`, or an emulator needs the template; a change set may
    /// be allowed.
    Denied,
    /// Any other reason.
    Failed(Error),
}

/// Converts tags to the SDK's type, without the tags that AWS sets itself (`aws:…`), which requests may not contain.
#[must_use]
pub fn tags_to_sdk(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let own = tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
    own.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Converts parameters to the SDK's type.
#[must_use]
pub fn parameters_to_sdk(parameters: &BTreeMap<String, String>) -> Vec<Parameter> {
    parameters
        .iter()
        .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build())
        .collect()
}

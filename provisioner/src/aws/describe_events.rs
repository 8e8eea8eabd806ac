//! Reads the details of failures with `DescribeEvents`: validations, hooks, and the operation before the rollback.
//!
//! Invariant: if the endpoint does not support the operation or the caller may not use it, only details are missing.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::describe_events::builders::DescribeEventsFluentBuilder;
use aws_sdk_cloudformation::types::{
    AnnotationStatus, EventFilter, EventType, HookFailureMode, HookInvocationPoint, HookStatus,
    ListHookResultsTargetType, OperationEvent,
};

use super::stack::Stack;
use crate::core::diagnosis::{self, StackEvent};
use crate::core::status::ResourceStatus;

/// Maximum number of operations to search for the cause: a rollback and the clean-up after it are operations, too.
const LOOK_BACK: usize = 4;

/// The failures of the stack's newest operation that names a cause.
pub async fn of_stack(client: &Client, stack: Option<&Stack>) -> Vec<StackEvent> {
    for operation in stack.into_iter().flat_map(|stack| stack.operations.iter().take(LOOK_BACK)) {
        let Some(found) = failed(client.describe_events().operation_id(operation)).await else { break };
        if diagnosis::has_cause(&found) {
            return found;
        }
    }
    Vec::new()
}

/// The failures of a change set that could not be created.
pub async fn of_change_set(client: &Client, id: &str) -> Vec<StackEvent> {
    failed(client.describe_events().change_set_name(id)).await.unwrap_or_default()
}

/// The findings and remedies that a hook reported, by the id of its result; empty if they cannot be read.
///
/// The API documents `ListHookResults` as the source of these ids. The `HookInvocationId` of a stack event has the same
/// form, so it is assumed to be one.
pub async fn advice(client: &Client, hook_result: &str) -> Vec<String> {
    let Ok(found) = client.get_hook_result().hook_result_id(hook_result).send().await else { return Vec::new() };
    let annotations = found.annotations().iter();
    annotations
        .filter(|annotation| annotation.status() == Some(&AnnotationStatus::Failed))
        .map(|annotation| {
            let name = annotation.annotation_name().unwrap_or("a check");
            let said = annotation.status_message().map(|said| format!(": {said}")).unwrap_or_default();
            let remedy = annotation.remediation_message().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            let link = annotation.remediation_link().map(|link| format!(" ({link})")).unwrap_or_default();
            format!("{name}{said}{remedy}{link}")
        })
        .collect()
}

/// The findings of the hooks that refused a whole change set; see [`advice`].
pub async fn advice_on_change_set(client: &Client, id: &str) -> Vec<String> {
    let request = client.list_hook_results().target_type(ListHookResultsTargetType::ChangeSet).target_id(id);
    let Ok(results) = request.send().await else { return Vec::new() };
    let mut all = Vec::new();
    for result in results
        .hook_results()
        .iter()
        .filter(|result| matches!(result.status(), Some(HookStatus::HookCompleteFailed | HookStatus::HookFailed)))
    {
        if let Some(id) = result.hook_result_id() {
            all.extend(advice(client, id).await);
        }
    }
    all
}

/// Reads the failed events; `None` if the operation is not available.
async fn failed(request: DescribeEventsFluentBuilder) -> Option<Vec<StackEvent>> {
    let filter = EventFilter::builder().failed_events(true).build();
    let reply = request.filters(filter).send().await.ok()?;
    let mut events: Vec<StackEvent> = reply.operation_events.unwrap_or_default().into_iter().map(from_sdk).collect();
    events.sort_by_key(|event| event.at);
    Some(events)
}

fn from_sdk(event: OperationEvent) -> StackEvent {
    let (status, reason) = outcome(&event);
    StackEvent {
        id: event.event_id.unwrap_or_default(),
        at: event
            .timestamp
            .or(event.end_time)
            .or(event.start_time)
            .and_then(|at| at.to_millis().ok())
            .unwrap_or_default(),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id.filter(|id| !id.is_empty()),
        // Events about the stack itself have no type.
        resource_type: event.resource_type.unwrap_or_else(|| "AWS::CloudFormation::Stack".to_owned()),
        status,
        reason,
        // This API does not return it.
        hook_result: None,
        token: event.client_request_token,
    }
}

fn outcome(event: &OperationEvent) -> (ResourceStatus, Option<String>) {
    if event.event_type == Some(EventType::ValidationError) {
        let warns = event.validation_failure_mode.as_ref().is_some_and(|mode| mode.as_str() == "WARN");
        let status = if warns { ResourceStatus::ValidationWarned } else { ResourceStatus::ValidationFailed };
        let path = event.validation_path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
        let said = event.validation_status_reason.as_deref().unwrap_or("the service gave no reason");
        let name = event.validation_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        return (status, Some(format!("{path}{said}{name}")));
    }
    if let Some(name) = &event.hook_type {
        let hook = Hook {
            name,
            status: event.hook_status.as_ref().map_or(ResourceStatus::HookFailed, |status| status.as_str().into()),
            point: event.hook_invocation_point.as_ref().map(HookInvocationPoint::as_str),
            mode: event.hook_failure_mode.as_ref().map(HookFailureMode::as_str),
            reason: event.hook_status_reason.as_deref(),
        };
        return (hook.outcome(), Some(hook.words()));
    }
    let status = event.resource_status.as_ref();
    let status = status.map_or(ResourceStatus::Unknown(String::new()), |status| status.as_str().into());
    (status, event.resource_status_reason.clone().filter(|reason| !reason.is_empty()))
}

/// The result of a hook for a resource.
pub(super) struct Hook<'a> {
    pub(super) name: &'a str,
    pub(super) status: ResourceStatus,
    pub(super) point: Option<&'a str>,
    pub(super) mode: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
}

impl Hook<'_> {
    /// The status, with the failure of a hook that only warns as a warning, because it does not stop an operation.
    pub(super) fn outcome(&self) -> ResourceStatus {
        let warned = self.mode == Some("WARN") && self.status.is_failure();
        if warned { ResourceStatus::HookWarned } else { self.status.clone() }
    }

    pub(super) fn words(&self) -> String {
        let point = self.point.map(|point| format!(" ({point})")).unwrap_or_default();
        format!("hook {}{point}: {}", self.name, self.reason.unwrap_or("the hook gave no reason"))
    }
}

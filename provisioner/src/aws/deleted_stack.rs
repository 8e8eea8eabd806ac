//! Finds out what a deleted stack was, had, and left.
//!
//! CloudFormation lists deleted stacks for 90 days. Not every endpoint lists their resources, but their events name them,
//! too.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{StackEvent, StackStatus};

use super::error::explain;
use super::stack::{self, Resource};
use crate::core::status::ResourceStatus;
use crate::error::Result;

/// The ARN of the last deleted stack with this name.
pub async fn last_deleted(client: &Client, name: &str) -> Result<Option<String>> {
    let deleted: Vec<_> = client
        .list_stacks()
        .stack_status_filter(StackStatus::DeleteComplete)
        .into_paginator()
        .items()
        .send()
        .collect::<std::result::Result<_, _>>()
        .await
        .map_err(|error| explain("cannot list the deleted stacks", &error))?;
    let of_name = deleted.into_iter().filter(|stack| stack.stack_name() == Some(name));
    let last = of_name.max_by_key(|stack| stack.deletion_time().map(|at| (at.secs(), at.subsec_nanos())));
    Ok(last.and_then(|stack| stack.stack_id))
}

/// What is known about a deleted stack, besides its description.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Its resources, with their last statuses.
    pub resources: Vec<Resource>,
    /// The physical ids of the resources that it created. A resource whose name was taken is listed, too, but the stack
    /// did not create it.
    pub created: BTreeSet<String>,
    /// The token of the request that deleted it, if it is known.
    pub deletion_token: Option<String>,
}

impl Past {
    /// Reads the past of a stack.
    pub async fn of(client: &Client, stack_id: &str) -> Result<Self> {
        let (listed, events) = tokio::try_join!(stack::resources(client, stack_id), events(client, stack_id))?;
        Ok(Self::from_events(listed, &events))
    }

    /// The newest event comes first.
    fn from_events(mut resources: Vec<Resource>, events: &[StackEvent]) -> Self {
        let mut known: BTreeSet<String> = resources.iter().map(|resource| resource.logical_id.clone()).collect();
        let others = events.iter().filter_map(resource).filter(|resource| known.insert(resource.logical_id.clone()));
        resources.extend(others);
        let is_created = |event: &&StackEvent| status(event) == ResourceStatus::CreateComplete;
        Self {
            resources,
            created: events.iter().filter(is_created).filter_map(|event| event.physical_resource_id.clone()).collect(),
            // The last event of a deleted stack is its deletion.
            deletion_token: events.first().and_then(|event| event.client_request_token.clone()),
        }
    }
}

async fn events(client: &Client, stack_id: &str) -> Result<Vec<StackEvent>> {
    client
        .describe_stack_events()
        .stack_name(stack_id)
        .into_paginator()
        .items()
        .send()
        .collect::<std::result::Result<_, _>>()
        .await
        .map_err(|error| explain(format!("cannot read the events of stack `{stack_id}`"), &error))
}

fn status(event: &StackEvent) -> ResourceStatus {
    event.resource_status.as_ref().map_or(ResourceStatus::Unknown(String::new()), |status| status.as_str().into())
}

/// The resource of an event, unless the event is about the stack itself.
fn resource(event: &StackEvent) -> Option<Resource> {
    let physical_id = event.physical_resource_id.clone().filter(|id| !id.is_empty())?;
    let is_stack = event.stack_id.as_ref() == Some(&physical_id);
    (!is_stack).then(|| Resource {
        logical_id: event.logical_resource_id.clone().unwrap_or_default(),
        resource_type: event.resource_type.clone().unwrap_or_default(),
        physical_id,
        status: status(event),
        changed_at: event.timestamp.and_then(|at| at.to_millis().ok()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types;

    use super::*;

    fn event(logical_id: &str, physical_id: &str, status: &str, token: &str) -> StackEvent {
        StackEvent::builder()
            .stack_id("arn:stack")
            .event_id("e")
            .stack_name("s")
            .timestamp(aws_sdk_cloudformation::primitives::DateTime::from_secs(0))
            .logical_resource_id(logical_id)
            .physical_resource_id(physical_id)
            .resource_type(if physical_id == "arn:stack" { "AWS::CloudFormation::Stack" } else { "AWS::S3::Bucket" })
            .resource_status(types::ResourceStatus::from(status))
            .client_request_token(token)
            .build()
    }

    #[test]
    fn resources_come_from_the_list_and_from_the_newest_events() {
        let events = [
            event("s", "arn:stack", "DELETE_COMPLETE", "deletion"),
            event("Bucket", "new", "DELETE_SKIPPED", "deletion"),
            event("Listed", "listed", "DELETE_SKIPPED", "deletion"),
            // The bucket that an update replaced was kept on purpose.
            event("Bucket", "old", "DELETE_SKIPPED", "update"),
            event("Bucket", "new", "CREATE_COMPLETE", "update"),
            event("Failed", "", "CREATE_FAILED", "creation"),
            event("Bucket", "old", "CREATE_COMPLETE", "creation"),
        ];
        let listed = Resource {
            logical_id: "Listed".to_owned(),
            resource_type: "AWS::DynamoDB::Table".to_owned(),
            physical_id: "listed".to_owned(),
            status: ResourceStatus::DeleteSkipped,
            changed_at: 0,
        };
        let past = Past::from_events(vec![listed], &events);
        let found: Vec<(&str, &str)> =
            past.resources.iter().map(|one| (one.physical_id.as_str(), one.status.as_str())).collect();
        assert_eq!(found, [("listed", "DELETE_SKIPPED"), ("new", "DELETE_SKIPPED")]);
        assert_eq!(past.created.iter().map(String::as_str).collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!(past.deletion_token.as_deref(), Some("deletion"));
    }
}

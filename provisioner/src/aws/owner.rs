//! The stack that a bucket or table belongs to.
//!
//! Invariant: a resource counts as free only if CloudFormation or its tags say so; what cannot be found out counts as taken.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::ResourceStatus;

use super::error::{code, explain, is_missing, message};
use super::{Clients, stack};
use crate::core::adopt::{BUCKET, TABLE};
use crate::error::{Error, Result};

/// The tags that CloudFormation sets on what it creates; they stay when it deletes a stack and keeps the resource.
const STACK_NAME: &str = "aws:cloudformation:stack-name";
const STACK_ID: &str = "aws:cloudformation:stack-id";

/// The name of the stack that has this resource; `None` if none has it.
///
/// # Errors
/// Any failure of the requests, except that the caller may not ask for stacks: then the resource's tags answer.
pub async fn stack_of(clients: &Clients, resource_type: &str, name: &str) -> Result<Option<String>> {
    let reply = clients.cloudformation.describe_stack_resources().physical_resource_id(name).send().await;
    match reply {
        // Other resources may have the same name, and a deleted stack still lists what it left.
        Ok(reply) => Ok(reply
            .stack_resources
            .unwrap_or_default()
            .into_iter()
            .filter(|resource| resource.resource_type() == Some(resource_type))
            .filter(|resource| resource.physical_resource_id() == Some(name))
            .find(|resource| {
                !matches!(
                    resource.resource_status(),
                    Some(ResourceStatus::DeleteSkipped | ResourceStatus::DeleteComplete | ResourceStatus::CreateFailed)
                )
            })
            .and_then(|resource| resource.stack_name)),
        Err(error)
            if code(&error) == Some("ValidationError")
                && message(&error).is_some_and(|text| text.contains("does not exist")) =>
        {
            Ok(None)
        }
        // The caller may not ask, or an endpoint does not know the request.
        Err(error) if error.as_service_error().is_some() => by_tags(clients, resource_type, name).await,
        Err(error) => Err(explain(format!("cannot find out which stack has `{name}`"), &error)),
    }
}

async fn by_tags(clients: &Clients, resource_type: &str, name: &str) -> Result<Option<String>> {
    let tags = match resource_type {
        BUCKET => tags_of_bucket(clients, name).await?,
        TABLE => tags_of_table(clients, name).await?,
        other => return Err(Error::new(format!("cannot find out which stack has {other} `{name}`"))),
    };
    let (Some(stack_name), Some(id)) = (tags.get(STACK_NAME), tags.get(STACK_ID)) else { return Ok(None) };
    let is_gone = match stack::describe(&clients.cloudformation, id).await {
        Ok(found) => found.is_none_or(|stack| stack.status.is_deleted()),
        Err(_) => false,
    };
    Ok((!is_gone).then(|| stack_name.clone()))
}

async fn tags_of_bucket(clients: &Clients, name: &str) -> Result<BTreeMap<String, String>> {
    match clients.s3.get_bucket_tagging().bucket(name).send().await {
        Ok(reply) => Ok(reply.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
        Err(error) if is_missing(&error) || code(&error) == Some("NoSuchTagSet") => Ok(BTreeMap::new()),
        Err(error) => Err(explain(format!("cannot read the tags of bucket `{name}`"), &error)),
    }
}

async fn tags_of_table(clients: &Clients, name: &str) -> Result<BTreeMap<String, String>> {
    let attempt = || format!("cannot read the tags of table `{name}`");
    let described = clients.dynamodb.describe_table().table_name(name).send().await;
    let described = described.map_err(|error| explain(attempt(), &error))?;
    let arn = described.table.and_then(|table| table.table_arn).unwrap_or_else(|| name.to_owned());
    let reply = clients.dynamodb.list_tags_of_resource().resource_arn(arn).send().await;
    let reply = reply.map_err(|error| explain(attempt(), &error))?;
    Ok(reply.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect())
}

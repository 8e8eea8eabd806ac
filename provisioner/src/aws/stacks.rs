//! This program's stacks in one region.

use aws_sdk_cloudformation::Client;

use super::error::explain;
use super::stack::{self, Stack};
use crate::core::template;
use crate::error::Result;

/// Outputs of the template. A stack of another tool that has both may come from it, so its template is read.
const OUTPUTS: [&str; 2] = ["BucketName", "TableName"];

/// The stacks that this program created, and those that others created from its template.
pub async fn ours(client: &Client, region: &str) -> Result<Vec<Stack>> {
    let mut pages = client.describe_stacks().into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(stack) = pages.next().await {
        let stack = stack.map_err(|error| explain(format!("cannot list the stacks in `{region}`"), &error))?;
        let stack = stack::from_sdk(stack);
        if stack.is_ours() || is_from_template(client, &stack).await {
            found.push(stack);
        }
    }
    Ok(found)
}

/// A template that cannot be read is somebody else's.
async fn is_from_template(client: &Client, stack: &Stack) -> bool {
    if !OUTPUTS.iter().all(|name| stack.outputs.contains_key(*name)) {
        return false;
    }
    let body = stack::template(client, &stack.id).await;
    body.is_ok_and(|body| template::read(&body).is_ok_and(|template| template.is_marked()))
}

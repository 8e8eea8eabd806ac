//! How much the account may do: copies of functions, faces a second.

use aws_sdk_lambda::types::AccountLimit;

use super::Clients;
use super::error::explain;
use crate::error::Result;

/// Copies of functions that may run at once in the account: all, and those that no function has reserved.
///
/// # Errors
/// Any failure of the request.
pub async fn concurrency(clients: &Clients) -> Result<(i32, i32)> {
    let reply = clients
        .lambda
        .get_account_settings()
        .send()
        .await
        .map_err(|error| explain("cannot read Lambda's limits", &error))?;
    let limit = reply.account_limit();
    Ok((
        limit.map(AccountLimit::concurrent_executions).unwrap_or_default(),
        limit.and_then(AccountLimit::unreserved_concurrent_executions).unwrap_or_default(),
    ))
}

/// `DetectFaces` requests a second; `None` where Service Quotas lists none of that name.
///
/// # Errors
/// Any failure of the requests.
pub async fn detect_faces(clients: &Clients) -> Result<Option<f64>> {
    // By name, not by code: a code is only good for as long as AWS keeps it.
    let mut pages = clients.quotas.list_service_quotas().service_code("rekognition").into_paginator().items().send();
    while let Some(quota) = pages.next().await {
        let quota = quota.map_err(|error| explain("cannot read the quotas of Rekognition", &error))?;
        if quota.quota_name().is_some_and(|name| name.contains("DetectFaces")) {
            return Ok(quota.value());
        }
    }
    Ok(None)
}

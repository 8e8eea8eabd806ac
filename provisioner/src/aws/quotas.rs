//! How much the account may do: copies of functions, faces a second.

use aws_config::Region;
use aws_sdk_lambda::types::AccountLimit;
use aws_sdk_servicequotas::types::ServiceQuota;

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

/// `DetectFaces` requests a second in a region: the account's own quota, else AWS's default; `None` where Service Quotas lists neither.
///
/// # Errors
/// Any failure of the requests.
pub async fn detect_faces(clients: &Clients, region: &str) -> Result<Option<f64>> {
    let config = clients.quotas.config().to_builder().region(Region::new(region.to_owned())).build();
    let client = aws_sdk_servicequotas::Client::from_conf(config);
    let attempt = || format!("cannot read the quotas of Rekognition in {region}");
    // By name, not by code: a code is only good for as long as AWS keeps it.
    let value = |quota: &ServiceQuota| quota.value().filter(|_| quota.quota_name().is_some_and(is_detect_faces));
    let mut applied = client.list_service_quotas().service_code(SERVICE).into_paginator().items().send();
    while let Some(quota) = applied.next().await {
        if let Some(value) = value(&quota.map_err(|error| explain(attempt(), &error))?) {
            return Ok(Some(value));
        }
    }
    // A quota that nobody has raised may be in the list of defaults alone.
    let mut defaults = client.list_aws_default_service_quotas().service_code(SERVICE).into_paginator().items().send();
    while let Some(quota) = defaults.next().await {
        if let Some(value) = value(&quota.map_err(|error| explain(attempt(), &error))?) {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

const SERVICE: &str = "rekognition";

fn is_detect_faces(name: &str) -> bool {
    name.contains("DetectFaces")
}

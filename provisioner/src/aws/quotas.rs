//! The account's quotas for concurrent executions and for `DetectFaces` requests.

use aws_config::Region;
use aws_sdk_lambda::types::AccountLimit;
use aws_sdk_servicequotas::types::ServiceQuota;

use super::Clients;
use super::error::{explain, is_missing};
use crate::error::Result;

/// The account's concurrent executions: the total, and those that no function has reserved.
pub async fn concurrency(clients: &Clients) -> Result<(i32, i32)> {
    let reply = clients
        .lambda
        .get_account_settings()
        .send()
        .await
        .map_err(|error| explain("cannot read Lambda's account settings", &error))?;
    let limit = reply.account_limit();
    Ok((
        limit.map(AccountLimit::concurrent_executions).unwrap_or_default(),
        limit.and_then(AccountLimit::unreserved_concurrent_executions).unwrap_or_default(),
    ))
}

/// The quota of `DetectFaces` in a region in requests per second: the account's own, otherwise the default of AWS.
///
/// `None` means that Service Quotas does not list this quota. All regions with Rekognition have it, so this also tells
/// whether a region has Rekognition.
pub async fn detect_faces(clients: &Clients, region: &str) -> Result<Option<f64>> {
    let config = clients.quotas.config().to_builder().region(Region::new(region.to_owned())).build();
    let client = aws_sdk_servicequotas::Client::from_conf(config);
    let attempt = || format!("cannot read the quotas of Rekognition in `{region}`");
    let mut applied = client.list_service_quotas().service_code(SERVICE).into_paginator().items().send();
    while let Some(quota) = applied.next().await {
        match quota {
            Ok(quota) if is_detect_faces(&quota) => return Ok(quota.value()),
            Ok(_) => {}
            // Service Quotas does not know Rekognition in this region.
            Err(error) if is_missing(&error) => break,
            Err(error) => return Err(explain(attempt(), &error)),
        }
    }
    // A quota that was never changed may be only in the list of defaults.
    let mut defaults = client.list_aws_default_service_quotas().service_code(SERVICE).into_paginator().items().send();
    while let Some(quota) = defaults.next().await {
        match quota {
            Ok(quota) if is_detect_faces(&quota) => return Ok(quota.value()),
            Ok(_) => {}
            Err(error) if is_missing(&error) => break,
            Err(error) => return Err(explain(attempt(), &error)),
        }
    }
    Ok(None)
}

const SERVICE: &str = "rekognition";

/// Compares the name, because quota codes are not documented to be stable.
fn is_detect_faces(quota: &ServiceQuota) -> bool {
    quota.value().is_some() && quota.quota_name().is_some_and(|name| name.contains("DetectFaces"))
}

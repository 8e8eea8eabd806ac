//! The deployed function: its live configuration and its log.

use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::types::{LastUpdateStatus, State};

use super::error::{explain, foreign_reply, is_missing, is_throttled};
use super::pace::Pace;
use crate::error::{Error, Result};

/// Maximum time until a function becomes active.
const SETTLING: Duration = Duration::from_mins(1);

/// The part of the function's configuration that the smoke test checks.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The time-out in seconds.
    pub timeout: i32,
    /// The memory in MB.
    pub memory: i32,
    /// `arm64` or `x86_64`.
    pub architecture: String,
    /// The role's ARN.
    pub role: String,
    /// The function's ARN.
    pub arn: String,
    /// Changes with every update of the function or its configuration.
    pub revision: String,
}

/// Reads the live configuration once it is effective: a new function is `Pending` for a moment, and an updated one runs
/// its old code until the update is complete.
///
/// # Errors
/// The function does not become active, or a request fails.
pub async fn configuration(client: &Client, name: &str) -> Result<Configuration> {
    let (mut pace, started) = (Pace::new(Duration::from_millis(500), Duration::from_secs(5)), Instant::now());
    let reply = loop {
        let reply = client
            .get_function_configuration()
            .function_name(name)
            .send()
            .await
            .map_err(|error| explain(format!("cannot read the configuration of function `{name}`"), &error))?;
        let failed = matches!(reply.state(), Some(State::Failed))
            || matches!(reply.last_update_status(), Some(LastUpdateStatus::Failed));
        let settling = matches!(reply.state(), Some(State::Pending))
            || matches!(reply.last_update_status(), Some(LastUpdateStatus::InProgress));
        if failed || (settling && started.elapsed() > SETTLING) {
            let error = Error::new(format!("function `{name}` did not become active"));
            let reasons = [reply.state_reason(), reply.last_update_status_reason()];
            return Err(reasons.into_iter().flatten().fold(error, Error::cause));
        }
        if !settling {
            break reply;
        }
        pace.wait().await;
    };
    Ok(Configuration {
        timeout: reply.timeout.unwrap_or_default(),
        memory: reply.memory_size.unwrap_or_default(),
        architecture: reply.architectures().first().map(|a| a.as_str().to_owned()).unwrap_or_default(),
        role: reply.role.clone().unwrap_or_default(),
        arn: reply.function_arn.clone().unwrap_or_default(),
        revision: reply.revision_id.clone().unwrap_or_default(),
    })
}

/// The ARNs of the rules of EventBridge that may invoke a function.
pub async fn permitted_rules(client: &Client, name: &str) -> Result<Vec<String>> {
    let policy = match client.get_policy().function_name(name).send().await {
        Ok(reply) => reply.policy.unwrap_or_default(),
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(explain(format!("cannot read who may invoke function `{name}`"), &error)),
    };
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let ours = statements.filter(|statement| statement["Principal"]["Service"] == "events.amazonaws.com");
    let source =
        |statement: &serde_json::Value| Some(statement["Condition"]["ArnLike"]["AWS:SourceArn"].as_str()?.to_owned());
    Ok(ours.filter_map(source).collect())
}

/// The ARNs of the functions that a bucket notifies.
pub async fn notified_by(client: &aws_sdk_s3::Client, bucket: &super::bucket::Bucket) -> Result<Vec<String>> {
    let reply = client
        .get_bucket_notification_configuration()
        .bucket(&bucket.name)
        .expected_bucket_owner(&bucket.owner)
        .send()
        .await
        .map_err(|error| explain(format!("cannot read the notifications of bucket `{}`", bucket.name), &error))?;
    Ok(reply.lambda_function_configurations().iter().map(|c| c.lambda_function_arn().to_owned()).collect())
}

/// A line of the log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Unique within the log group.
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// The text.
    pub text: String,
}

/// The lines of a log group since a time in milliseconds since the Unix epoch, oldest first. A missing group has none.
pub async fn log(client: &aws_sdk_cloudwatchlogs::Client, group: &str, since: i64) -> Result<Vec<LogLine>> {
    read(client, group, since, None).await.map_err(|error| explain(format!("cannot read log group `{group}`"), &error))
}

/// Like [`log`], but up to a time, and `None` if the request is throttled: CloudWatch Logs allows five per second and account.
pub async fn glance(
    client: &aws_sdk_cloudwatchlogs::Client,
    group: &str,
    since: i64,
    until: i64,
) -> Result<Option<Vec<LogLine>>> {
    let until = Some(until);
    match read(client, group, since, until).await {
        Ok(lines) => Ok(Some(lines)),
        Err(error) if is_throttled(&error) => Ok(None),
        Err(error) => Err(explain(format!("cannot read log group `{group}`"), &error)),
    }
}

async fn read(
    client: &aws_sdk_cloudwatchlogs::Client,
    group: &str,
    since: i64,
    until: Option<i64>,
) -> std::result::Result<Vec<LogLine>, SdkError<FilterLogEventsError>> {
    let events = client
        .filter_log_events()
        .log_group_name(group)
        .start_time(since)
        .set_end_time(until)
        .into_paginator()
        .send()
        .collect::<std::result::Result<Vec<_>, _>>()
        .await;
    let pages = match events {
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        events => events?,
    };
    let mut lines: Vec<LogLine> = pages
        .into_iter()
        .flat_map(|page| page.events.unwrap_or_default())
        .map(|event| LogLine {
            id: event.event_id.unwrap_or_default(),
            at: event.timestamp.unwrap_or_default(),
            text: event.message.unwrap_or_default().trim_end().to_owned(),
        })
        .collect();
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}

/// Invokes the function asynchronously, as S3 does; returns when Lambda has accepted the event.
pub async fn invoke_later(client: &Client, name: &str, event: &str) -> Result<()> {
    const ACCEPTED: i32 = 202;
    let attempt = || format!("cannot send an event to function `{name}`");
    let reply = client
        .invoke()
        .function_name(name)
        .invocation_type(aws_sdk_lambda::types::InvocationType::Event)
        .payload(aws_sdk_lambda::primitives::Blob::new(event.as_bytes()))
        .send()
        .await
        .map_err(|error| explain(attempt(), &error))?;
    // An event whose reply came from something else than Lambda would be lost.
    if reply.status_code == ACCEPTED { Ok(()) } else { Err(foreign_reply(attempt())) }
}

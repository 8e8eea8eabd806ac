//! Follows a running stack operation to its end: one loop, one pace, and one last look.
//!
//! Invariant: a throttled or dropped poll never fails a deployment; the operation lives on the server.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{HookFailureMode, HookInvocationPoint};

use super::error::{code, explain};
use super::failures;
use super::stack::{self, Stack};
use crate::core::diagnosis::{self, StackEvent};
use crate::core::status::{self, Condition};
use crate::error::{Error, Result};

/// Waiting times that grow from a first to a longest one.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    /// From `first` to `longest`, growing by an eightieth each time: so the end of what is waited for is seen late by `first` and an eightieth
    /// of the time that it took, at the most.
    ///
    /// `PROVISIONER_POLL_LIMIT_MS` caps both, for endpoints on this machine that neither take time nor throttle.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        static LIMIT: OnceLock<Duration> = OnceLock::new();
        let limit = *LIMIT.get_or_init(|| {
            let given = std::env::var("PROVISIONER_POLL_LIMIT_MS").ok().and_then(|text| text.parse().ok());
            given.map_or(Duration::MAX, Duration::from_millis)
        });
        Self { next: first.min(limit), longest: longest.min(limit) }
    }

    /// Waits the next time.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 81 / 80).min(self.longest);
    }
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The last status.
    pub status: String,
    /// The stack, unless it is gone.
    pub stack: Option<Stack>,
    /// Every event of the operation, oldest first; where it failed, what `DescribeEvents` knows about it instead, if that is more.
    pub events: Vec<StackEvent>,
}

/// So many polls may find the stack as it was before CloudFormation has begun what it was asked to do.
const LATE_START: usize = 5;

/// Which events belong to the operation that is followed.
#[derive(Clone, Debug, Default)]
pub struct Since {
    seen: HashSet<String>,
    /// The operation runs already, so a stack at rest means that it is over.
    begun: bool,
}

impl Since {
    /// Everything that comes after this call.
    ///
    /// # Errors
    /// The events of an existing stack cannot be read.
    pub async fn now(client: &Client, stack_id: &str) -> Result<Self> {
        // The newest page is enough: reading stops at the first known event.
        let page = client
            .describe_stack_events()
            .stack_name(stack_id)
            .send()
            .await
            .map_err(|error| explain("cannot read the stack's events", &error))?;
        let seen = page.stack_events.unwrap_or_default().into_iter().filter_map(|event| event.event_id).collect();
        Ok(Self { seen, begun: false })
    }

    /// As [`Self::now`], for an operation that runs already.
    ///
    /// # Errors
    /// See [`Self::now`].
    pub async fn joining(client: &Client, stack_id: &str) -> Result<Self> {
        Ok(Self { begun: true, ..Self::now(client, stack_id).await? })
    }

    /// Everything: for a stack that is being created.
    #[must_use]
    pub fn creation() -> Self {
        Self::default()
    }
}

/// Follows an operation and reports each event once.
///
/// # Errors
/// The stack cannot be described at all (not: a poll was throttled).
pub async fn to_the_end(
    client: &Client,
    stack_id: &str,
    since: Since,
    mut report: impl FnMut(&StackEvent),
) -> Result<Ended> {
    let mut pace = Pace::new(Duration::from_millis(500), Duration::from_secs(3));
    let Since { mut seen, mut begun } = since;
    let mut history = Vec::new();
    let (mut misses, mut waited) = (0, 0);
    loop {
        let (stack, new) = tokio::join!(stack::ask(client, stack_id), events(client, stack_id, &seen));
        collect(new.unwrap_or_default(), &mut seen, &mut history, &mut report);
        match stack {
            Ok(stack) => {
                misses = 0;
                let status = stack.as_ref().map_or("DELETE_COMPLETE", |stack| stack.status.as_str()).to_owned();
                let running = is_running(&status);
                // The first replies can be older than the operation.
                begun |= running || stack.is_none() || !history.is_empty() || waited >= LATE_START;
                waited += 1;
                if begun && !running {
                    // The event that names the reason can be later than the status.
                    let late = events(client, stack_id, &seen).await.unwrap_or_default();
                    collect(late, &mut seen, &mut history, &mut report);
                    if !status::succeeded(&status) || diagnosis::has_cause(&history) {
                        let told = failures::of_stack(client, stack.as_ref()).await;
                        if diagnosis::has_cause(&told) {
                            history = told;
                        }
                    }
                    return Ok(Ended { status, stack, events: history });
                }
            }
            Err(error) if misses >= 5 || is_final(code(&error)) => {
                let explained = explain(format!("cannot describe stack `{stack_id}`"), &error);
                return Err(lost(explained, misses + 1));
            }
            Err(_) => misses += 1,
        }
        pace.wait().await;
    }
}

fn is_running(status: &str) -> bool {
    matches!(status::condition(status), Some(Condition::Busy | Condition::Deleting | Condition::Review))
}

/// Whether asking again cannot help: the caller has lost its credentials or its rights.
fn is_final(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        code.starts_with("ExpiredToken")
            || code.starts_with("AccessDenied")
            || matches!(code, "RequestExpired" | "InvalidClientTokenId" | "UnrecognizedClientException")
    })
}

fn lost(error: Error, times: usize) -> Error {
    let error = if times > 1 { error.cause(format!("{times} times in a row")) } else { error };
    error.hint("the operation goes on in AWS without this program: the same command again joins it")
}

fn collect(
    mut new: Vec<StackEvent>,
    seen: &mut HashSet<String>,
    history: &mut Vec<StackEvent>,
    report: &mut impl FnMut(&StackEvent),
) {
    new.sort_by_key(|event| event.at);
    for event in new {
        if seen.insert(event.id.clone()) {
            report(&event);
            history.push(event);
        }
    }
}

/// The events that were not seen yet; stops at the first page that holds a known one, since the newest come first.
async fn events(client: &Client, stack_id: &str, seen: &HashSet<String>) -> Result<Vec<StackEvent>> {
    let mut found = Vec::new();
    let mut pages = client.describe_stack_events().stack_name(stack_id).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain("cannot read the stack's events", &error))?;
        let mut known = false;
        for event in page.stack_events.unwrap_or_default() {
            let event = from_sdk(event);
            known |= seen.contains(&event.id);
            if !seen.contains(&event.id) {
                found.push(event);
            }
        }
        if known {
            break;
        }
    }
    Ok(found)
}

fn from_sdk(event: aws_sdk_cloudformation::types::StackEvent) -> StackEvent {
    let hook = event.hook_type.as_ref().map(|name| {
        let told = failures::Hook {
            name,
            status: event.hook_status.as_ref().map_or("HOOK_FAILED", |status| status.as_str()),
            point: event.hook_invocation_point.as_ref().map(HookInvocationPoint::as_str),
            mode: event.hook_failure_mode.as_ref().map(HookFailureMode::as_str),
            reason: event.hook_status_reason.as_deref(),
        };
        (told.outcome(), Some(told.words()))
    });
    let (status, reason) = hook.unwrap_or_else(|| {
        let status = event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default();
        (status, event.resource_status_reason.filter(|reason| !reason.is_empty()))
    });
    StackEvent {
        id: event.event_id.unwrap_or_default(),
        at: event.timestamp.and_then(|at| at.to_millis().ok()).unwrap_or_default(),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: event.resource_type.unwrap_or_default(),
        status,
        reason,
    }
}

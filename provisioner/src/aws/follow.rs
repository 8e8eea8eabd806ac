//! Follows a stack operation to its end, in one loop with adaptive intervals.
//!
//! Invariant: a throttled or lost poll never fails a deployment, because the operation runs on the server.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{HookFailureMode, HookInvocationPoint};

use super::describe_events;
use super::error::{code, explain};
use super::pace::Pace;
use super::stack::{self, Stack};
use crate::clock;
use crate::core::diagnosis::{self, StackEvent};
use crate::core::operation::{Origin, TOKEN};
use crate::core::status::{ResourceStatus, StackStatus};
use crate::error::{Error, Exit, Result};

/// The result of an operation.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The last status.
    pub status: StackStatus,
    /// The stack, unless it is gone.
    pub stack: Option<Stack>,
    /// The events of the operation, oldest first. After a failure, those of `DescribeEvents` if they name a cause.
    pub events: Vec<StackEvent>,
}

/// An accepted operation must show a sign of having begun within this number of polls, and within this time: polls are slow
/// if the events cannot be read.
const POLLS_BEFORE_BEGIN: usize = 100;
const LONGEST_WAIT_FOR_BEGIN: Duration = Duration::from_secs(45);

/// The tolerated difference between this machine's clock and the endpoint's.
const CLOCK_TOLERANCE_MILLIS: i64 = 1_000;

/// Creates the origin of an operation that this program starts on an existing stack.
#[must_use]
pub fn begin() -> Origin {
    begin_as("")
}

/// Like [`begin`], with a word in the token that a later run can recognize.
#[must_use]
pub fn begin_as(word: &str) -> Origin {
    Origin::Ours { token: token(word), began: clock::now_millis() - CLOCK_TOLERANCE_MILLIS }
}

/// Creates a `ClientRequestToken`, with a word in it that a later run can recognize.
#[must_use]
pub fn token(word: &str) -> String {
    format!("{TOKEN}{word}{}-{}", clock::now().as_nanos(), std::process::id())
}

/// Creates the origin of an operation that is already running.
pub async fn join(client: &Client, stack_id: &str) -> Result<Origin> {
    // The newest page is enough, because later reads stop at any event in it.
    let page = client
        .describe_stack_events()
        .stack_name(stack_id)
        .send()
        .await
        .map_err(|error| explain("cannot read the stack's events", &error))?;
    let known = page.stack_events.unwrap_or_default().into_iter().filter_map(|event| event.event_id);
    Ok(Origin::Running(known.collect()))
}

/// Follows an operation and reports each event once.
///
/// # Errors
/// The stack cannot be described in several consecutive polls, or the credentials no longer work.
pub async fn to_the_end(
    client: &Client,
    stack_id: &str,
    origin: &Origin,
    mut report: impl FnMut(&StackEvent),
) -> Result<Ended> {
    let mut pace = Pace::new(Duration::from_millis(300), Duration::from_secs(3));
    let mut history = History { origin, seen: HashSet::new(), events: Vec::new(), unread: None };
    // An operation that was already running has ended as soon as the stack is not in progress.
    let mut begun = matches!(origin, Origin::Running(_));
    let (mut misses, mut waited, accepted) = (0, 0, Instant::now());
    loop {
        // The status tells when the operation ends; the events only show progress, so every second poll reads them.
        let (stack, ()) = tokio::join!(stack::ask(client, stack_id), async {
            if waited % 2 == 0 {
                history.read(client, stack_id, &mut report).await;
            }
        });
        match stack {
            Ok(stack) => {
                misses = 0;
                let status = stack.as_ref().map_or(StackStatus::DeleteComplete, |stack| stack.status.clone());
                let running = status.is_in_progress();
                // The first replies can still show the state before the operation.
                let is_new = matches!(origin, Origin::NewStack);
                begun |= running || stack.is_some() == is_new || status.is_deleted() || !history.events.is_empty();
                waited += 1;
                if !begun && (waited > POLLS_BEFORE_BEGIN || accepted.elapsed() > LONGEST_WAIT_FOR_BEGIN) {
                    return Err(not_started(stack_id, &status, history.unread));
                }
                if begun && !running {
                    // The event that names the reason can appear after the status has changed.
                    history.read(client, stack_id, &mut report).await;
                    let mut events = history.events;
                    if !status.is_success() || diagnosis::has_cause(&events) {
                        let told = describe_events::of_stack(client, stack.as_ref()).await;
                        if diagnosis::has_cause(&told) {
                            events = keep_hook_results(told, &events);
                        }
                    }
                    return Ok(Ended { status, stack, events });
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

/// The error about an operation that shows no sign of having begun. `unread` is why the events could not be read, if so.
fn not_started(stack_id: &str, status: &StackStatus, unread: Option<Error>) -> Error {
    let error = match unread {
        Some(unread) => unread.cause(format!("the stack is still in {status}")),
        None => Error::new(format!("CloudFormation accepted the operation on stack `{stack_id}` but did not start it"))
            .cause(format!("the stack is still in {status}, and no event has the operation's token")),
    };
    error.exit(Exit::Blocked).hint("run the same command again; it continues from the current state")
}

/// `DescribeEvents` has more details; only the stack's events have the ids of hook results, so these are added.
fn keep_hook_results(mut told: Vec<StackEvent>, read: &[StackEvent]) -> Vec<StackEvent> {
    for event in &mut told {
        let same = read.iter().find(|other| {
            let words = |event: &StackEvent| (event.logical_id.clone(), event.status.clone(), event.reason.clone());
            other.hook_result.is_some() && words(other) == words(event)
        });
        event.hook_result = same.and_then(|other| other.hook_result.clone());
    }
    told
}

/// Whether further polls cannot succeed, because the credentials have expired or lack a permission.
fn is_final(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        code.starts_with("ExpiredToken")
            || code.starts_with("AccessDenied")
            || matches!(code, "RequestExpired" | "InvalidClientTokenId" | "UnrecognizedClientException")
    })
}

fn lost(error: Error, times: usize) -> Error {
    let error = if times > 1 { error.cause(format!("{times} times in a row")) } else { error };
    error.hint("the operation continues in AWS; run the same command again to follow it")
}

/// The events of an operation that were read so far.
struct History<'a> {
    origin: &'a Origin,
    seen: HashSet<String>,
    events: Vec<StackEvent>,
    /// Why the last attempt to read the events failed.
    unread: Option<Error>,
}

impl History<'_> {
    /// Reads and reports new events, oldest first. If that fails, the next call reads them.
    async fn read(&mut self, client: &Client, stack_id: &str, report: &mut impl FnMut(&StackEvent)) {
        let mut new = Vec::new();
        let mut pages = client.describe_stack_events().stack_name(stack_id).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    self.unread = Some(explain(format!("cannot read the events of stack `{stack_id}`"), &error));
                    return;
                }
            };
            let mut events: Vec<StackEvent> = page.stack_events.unwrap_or_default().into_iter().map(from_sdk).collect();
            let all = events.len();
            events.truncate(self.origin.owns(&events, &self.seen));
            // The newest come first, so older pages have nothing new after a known event or one of another operation.
            let more = events.len() == all && events.last().is_some_and(|event| !self.seen.contains(&event.id));
            new.extend(events);
            if !more {
                break;
            }
        }
        self.unread = None;
        // Oldest first. The stable sort keeps the order of events in the same millisecond.
        new.reverse();
        new.sort_by_key(|event| event.at);
        for event in new {
            if self.seen.insert(event.id.clone()) {
                report(&event);
                self.events.push(event);
            }
        }
    }
}

fn from_sdk(event: aws_sdk_cloudformation::types::StackEvent) -> StackEvent {
    let hook = event.hook_type.as_ref().map(|name| {
        let told = describe_events::Hook {
            name,
            status: event.hook_status.as_ref().map_or(ResourceStatus::HookFailed, |status| status.as_str().into()),
            point: event.hook_invocation_point.as_ref().map(HookInvocationPoint::as_str),
            mode: event.hook_failure_mode.as_ref().map(HookFailureMode::as_str),
            reason: event.hook_status_reason.as_deref(),
        };
        (told.outcome(), Some(told.words()))
    });
    let (status, reason) = hook.unwrap_or_else(|| {
        let status =
            event.resource_status.map_or(ResourceStatus::Unknown(String::new()), |status| status.as_str().into());
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
        hook_result: event.hook_invocation_id,
        token: event.client_request_token,
    }
}

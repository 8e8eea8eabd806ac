//! Follows a running stack operation to its end: one loop, one pace, and one last look.
//!
//! Invariant: a throttled or dropped poll never fails a deployment; the operation lives on the server.

use std::collections::HashSet;
use std::time::Duration;

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

/// How an operation ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The last status.
    pub status: StackStatus,
    /// The stack, unless it is gone.
    pub stack: Option<Stack>,
    /// Every event of the operation, oldest first; where it failed, what `DescribeEvents` knows about it instead, if that is more.
    pub events: Vec<StackEvent>,
}

/// How many polls, in about a minute, may find no sign that an accepted operation has begun.
const POLLS_BEFORE_BEGIN: usize = 100;

/// A clock that is a little ahead of the endpoint's makes no event of the operation seem older than it.
const SLACK_MILLIS: i64 = 1_000;

/// A new operation of this program's, on a stack that stands.
#[must_use]
pub fn begin() -> Origin {
    begin_as("")
}

/// As [`begin`], with a word in its token for whoever looks at it later.
#[must_use]
pub fn begin_as(word: &str) -> Origin {
    Origin::Ours { token: token(word), began: clock::now_millis() - SLACK_MILLIS }
}

/// A new `ClientRequestToken`, with a word in it for whoever looks at it later.
#[must_use]
pub fn token(word: &str) -> String {
    format!("{TOKEN}{word}{}-{}", clock::now().as_nanos(), std::process::id())
}

/// An operation that runs already.
pub async fn join(client: &Client, stack_id: &str) -> Result<Origin> {
    // The newest page is enough: reading stops there.
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
/// The stack cannot be described at all (not: a poll was throttled).
pub async fn to_the_end(
    client: &Client,
    stack_id: &str,
    origin: &Origin,
    mut report: impl FnMut(&StackEvent),
) -> Result<Ended> {
    let mut pace = Pace::new(Duration::from_millis(300), Duration::from_secs(3));
    let mut history = History { origin, seen: HashSet::new(), events: Vec::new() };
    // An operation that runs already is over as soon as the stack is at rest.
    let mut begun = matches!(origin, Origin::Running(_));
    let (mut misses, mut waited) = (0, 0);
    loop {
        // The end shows in the status; events only tell the way there, so every other time is enough for them.
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
                // The first replies can be older than the operation.
                let gone = stack.is_none() && !matches!(origin, Origin::NewStack);
                begun |= running || gone || !history.events.is_empty();
                waited += 1;
                if !begun && waited > POLLS_BEFORE_BEGIN {
                    return Err(Error::new(format!(
                        "the operation on stack `{stack_id}` was accepted but did not begin"
                    ))
                    .cause(format!("the stack is still in {status}, and no event carries the operation's token"))
                    .exit(Exit::Blocked)
                    .hint("run the same command again; it continues from the current state"));
                }
                if begun && !running {
                    // The event that names the reason can be later than the status.
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

/// The one API knows more of a failure, the other the ids of what hooks found.
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

/// The events of an operation, as far as they were read.
struct History<'a> {
    origin: &'a Origin,
    seen: HashSet<String>,
    events: Vec<StackEvent>,
}

impl History<'_> {
    /// Reads what is new and reports it, oldest first. What cannot be read now is read the next time.
    async fn read(&mut self, client: &Client, stack_id: &str, report: &mut impl FnMut(&StackEvent)) {
        let mut new = Vec::new();
        let mut pages = client.describe_stack_events().stack_name(stack_id).into_paginator().send();
        while let Some(page) = pages.next().await {
            let Ok(page) = page else { return };
            let mut events: Vec<StackEvent> = page.stack_events.unwrap_or_default().into_iter().map(from_sdk).collect();
            let all = events.len();
            events.truncate(self.origin.owns(&events, &self.seen));
            // The newest come first: behind one that is known, or is not the operation's, there is nothing new.
            let more = events.len() == all && events.last().is_some_and(|event| !self.seen.contains(&event.id));
            new.extend(events);
            if !more {
                break;
            }
        }
        // Oldest first; events of the same millisecond in their order of arrival.
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

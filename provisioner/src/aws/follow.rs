//! Follows a running stack operation to its end: one loop, one pace, and one last look.
//!
//! Invariant: a throttled or dropped poll never fails a deployment; the operation lives on the server.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_cloudformation::Client;

use super::stack::{self, Stack};
use crate::core::diagnosis::StackEvent;
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
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
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
    /// Every event of the operation, oldest first.
    pub events: Vec<StackEvent>,
}

/// Which events belong to the operation that is followed.
#[derive(Clone, Debug, Default)]
pub struct Since {
    seen: HashSet<String>,
}

impl Since {
    /// Everything that comes after this call.
    ///
    /// # Errors
    /// The events of an existing stack cannot be read.
    pub async fn now(client: &Client, stack_id: &str) -> Result<Self> {
        let seen = events(client, stack_id, &HashSet::new()).await?.into_iter().map(|event| event.id).collect();
        Ok(Self { seen })
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
    let mut seen = since.seen;
    let mut history = Vec::new();
    let mut misses = 0;
    loop {
        let (stack, new) = tokio::join!(stack::describe(client, stack_id), events(client, stack_id, &seen));
        collect(new.unwrap_or_default(), &mut seen, &mut history, &mut report);
        match stack {
            Ok(stack) => {
                misses = 0;
                let status = stack.as_ref().map_or("DELETE_COMPLETE", |stack| stack.status.as_str()).to_owned();
                let running = matches!(status::condition(&status), Some(Condition::Busy | Condition::Deleting));
                if !running {
                    // The event that names the reason can be later than the status.
                    collect(
                        events(client, stack_id, &seen).await.unwrap_or_default(),
                        &mut seen,
                        &mut history,
                        &mut report,
                    );
                    return Ok(Ended { status, stack, events: history });
                }
            }
            Err(error) if misses >= 5 => return Err(lost(error, stack_id)),
            Err(_) => misses += 1,
        }
        pace.wait().await;
    }
}

fn lost(error: Error, stack_id: &str) -> Error {
    error
        .cause(format!("six times in a row; the operation on `{stack_id}` goes on without this program"))
        .hint("run the same command again: it joins the running operation")
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
        let page = page.map_err(|error| super::error::explain("cannot read the stack's events", &error))?;
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
    StackEvent {
        id: event.event_id.unwrap_or_default(),
        at: event.timestamp.and_then(|at| at.to_millis().ok()).unwrap_or_default(),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: event.resource_type.unwrap_or_default(),
        status: event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: event.resource_status_reason.filter(|reason| !reason.is_empty()),
    }
}

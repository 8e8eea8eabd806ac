//! Follows stack operations to their end, reports their events, handles Ctrl-C, and explains failures.
//!
//! Invariant: if this program exits, the operation continues in AWS, and the same command follows it again.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::aws::describe_events;
use crate::aws::follow::{self, Ended};
use crate::aws::stack::{self, Continuation, Deletion, Stack};
use crate::context::Context;
use crate::core::diagnosis::{StackEvent, console, diagnose};
use crate::core::event::Event;
use crate::core::first_step::Command;
use crate::core::hint::Hint;
use crate::core::operation::{KEEPING, Kind, Origin};
use crate::core::status::{ResourceStatus, StackStatus};
use crate::error::{Error, Exit, Result};
use crate::steps::interrupt::Answering;

/// The time after a first Ctrl-C in which a second one cancels the update.
const SECOND_THOUGHTS: Duration = Duration::from_secs(3);

/// An operation that was started by this run or was already running.
#[derive(Debug)]
pub struct Operation {
    /// The kind of operation.
    pub kind: Kind,
    /// The ARN of the stack.
    pub stack_id: String,
    /// Tells which events belong to the operation.
    pub origin: Origin,
    /// The command that follows the operation again.
    pub command: Command,
}

/// An operation that has ended.
#[derive(Debug)]
pub struct Followed {
    /// The result.
    pub ended: Ended,
    /// Whether the user cancelled it.
    pub cancelled: bool,
}

impl Operation {
    /// Reports the start of the operation and follows it.
    pub async fn follow(&self, cx: &Context) -> Result<Followed> {
        let answering = Answering::begin();
        cx.events.emit(Event::OperationStarted { operation: self.kind, stack: cx.stack().to_owned() });
        self.to_the_end(cx, answering).await
    }

    /// After Ctrl-C, the program exits and the operation continues; a second Ctrl-C cancels an update and follows its
    /// rollback.
    async fn to_the_end(&self, cx: &Context, mut answering: Answering) -> Result<Followed> {
        let client = &cx.clients.cloudformation;
        let started = Instant::now();
        let following = follow::to_the_end(client, &self.stack_id, &self.origin, |event| {
            cx.events.emit(Event::Resource { event: event.clone() });
        });
        tokio::pin!(following);
        let (mut leave, mut cancelled) = (None, false);
        let ended = loop {
            tokio::select! {
                ended = &mut following => break ended?,
                () = sleep_until(leave.unwrap_or(started)), if leave.is_some() => return Err(self.detached(cx)),
                Some(()) = answering.next() => {
                    if !self.kind.can_cancel() || cancelled {
                        return Err(self.detached(cx));
                    }
                    if leave.is_none() {
                        leave = Some(Instant::now() + SECOND_THOUGHTS);
                        cx.events.emit(Event::LeavingUpdate { stack: cx.stack().to_owned() });
                    } else {
                        stack::cancel_update(client, &self.stack_id, self.origin.cancel_token()).await?;
                        (leave, cancelled) = (None, true);
                        cx.events.emit(Event::UpdateCancelled { stack: cx.stack().to_owned() });
                    }
                }
            }
        };
        cx.events.emit(Event::OperationEnded {
            stack: cx.stack().to_owned(),
            status: ended.status.clone(),
            ok: self.kind.succeeded(&ended.status),
            seconds: started.elapsed().as_secs_f64(),
        });
        Ok(Followed { ended, cancelled })
    }

    fn detached(&self, cx: &Context) -> Error {
        Error::new(format!("interrupted, but the {} of stack `{}` continues in AWS", self.kind.label(), cx.stack()))
            .exit(Exit::Blocked)
            .hint(Hint::command(self.command.name()).then(" follows it again"))
    }
}

/// Follows an operation that was already running, whatever its result is.
pub async fn join(cx: &Context, stack: &Stack, command: Command) -> Result<()> {
    let answering = Answering::begin();
    cx.events.emit(Event::Joined { stack: stack.name.clone(), status: stack.status.clone() });
    let origin = follow::join(&cx.clients.cloudformation, &stack.id).await?;
    let operation = Operation { kind: Kind::Joined, stack_id: stack.id.clone(), origin, command };
    operation.to_the_end(cx, answering).await.map(|_| ())
}

/// Starts a deletion.
pub async fn begin_deletion(cx: &Context, stack: &Stack, deletion: &Deletion) -> Result<Operation> {
    let origin = follow::begin_as(if deletion.keeps_data { KEEPING } else { "" });
    stack::delete(&cx.clients.cloudformation, stack, deletion, origin.token()).await?;
    Ok(Operation { kind: Kind::Deletion, stack_id: stack.id.clone(), origin, command: Command::Down })
}

/// Continues a failed rollback: first unchanged, then without the resources that block it, then by force.
pub async fn continue_rollback(cx: &Context, stack: &Stack, role: Option<&String>) -> Result<()> {
    let role = role.cloned();
    cx.confirm(&format!("stack {} is stuck in {}: continue its rollback?", stack.name, stack.status))?;
    let mut skip = Vec::new();
    let mut last = None;
    for force in [false, false, true] {
        let origin = follow::begin();
        // With force, CloudFormation selects the resources itself and refuses a request that names any.
        let named = if force { Vec::new() } else { skip.clone() };
        let names_some = !named.is_empty();
        let how = Continuation { skip: named, force, role: role.clone(), token: origin.token() };
        match stack::continue_rollback(&cx.clients.cloudformation, stack, how).await {
            // CloudFormation may refuse one of the names; force does not need any.
            Err(_) if names_some => continue,
            begun => begun?,
        }
        let operation = Operation { kind: Kind::Rollback, stack_id: stack.id.clone(), origin, command: Command::Up };
        let ended = operation.follow(cx).await?.ended;
        if ended.status == StackStatus::UpdateRollbackComplete {
            if !skip.is_empty() {
                cx.events.emit(Event::RollbackSkipped { resources: skip });
            }
            return Ok(());
        }
        skip.extend(ended.events.iter().filter(|e| stops_rollback(e)).map(|e| e.logical_id.clone()));
        skip.sort();
        skip.dedup();
        last = Some(ended);
    }
    if let Some(ended) = last {
        explain(cx, &ended, &stack.id).await;
    }
    Err(Error::new(format!("stack `{}` cannot finish its rollback", stack.name))
        .exit(Exit::Blocked)
        .hint(Hint::from("fix the errors shown above, then run ").then_command("up").then(" again")))
}

/// Whether the rollback failed because of this resource. A resource that was only cancelled cannot be skipped.
fn stops_rollback(event: &StackEvent) -> bool {
    event.status == ResourceStatus::UpdateFailed && !event.is_cancelled() && !event.is_of_stack()
}

/// Reports the cause of a failure if the events contain one.
pub async fn explain(cx: &Context, ended: &Ended, stack_id: &str) {
    if let Some(mut diagnosis) = diagnose(&ended.events) {
        if let Some(id) = &diagnosis.hook_result {
            diagnosis.advice = describe_events::advice(&cx.clients.cloudformation, id).await;
        }
        let real = cx.local.is_none() && !cx.clients.custom_endpoint;
        let console = real.then(|| console(stack_id, cx.region()));
        cx.events.emit(Event::Failed { diagnosis, console });
    }
}

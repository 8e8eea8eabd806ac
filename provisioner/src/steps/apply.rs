//! Starts stack operations and follows them to their end, with every event reported and every failure explained.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::aws::change_set;
use crate::aws::failures;
use crate::aws::follow::{self, Ended};
use crate::aws::stack::{self, Deletion, Stack};
use crate::cli::Context;
use crate::core::diagnosis::{StackEvent, console, diagnose};
use crate::core::event::Event;
use crate::core::operation::{self, Operation as StackOperation};
use crate::core::plan::Operation;
use crate::core::status;
use crate::error::{Error, Exit, Result};
use crate::steps::interrupt::Answering;
use crate::steps::preflight;
use crate::steps::prepare::{self, Prepared};

/// After a first Ctrl-C a running update is followed for so much longer, so that a second one can still cancel it.
const SECOND_THOUGHTS: Duration = Duration::from_secs(3);

/// Does what the plan says and returns the stack as it then is. What is to be done `beside` begins when CloudFormation has accepted it.
///
/// # Errors
/// The operation fails; its cause was reported.
pub async fn run(cx: &Context, prepared: &Prepared, beside: impl Future<Output = ()>) -> Result<Stack> {
    let client = &cx.clients.cloudformation;
    if let Some(change_set) = &prepared.change_set {
        let (name, operation) = match prepared.plan.operation {
            Operation::Update => ("update", follow::begin()),
            _ => ("creation", StackOperation::Creation),
        };
        change_set::execute(client, change_set, operation.token()).await?;
        return tokio::join!(followed(cx, name, &change_set.stack_id, operation), beside).0;
    }
    if let (Operation::Recreate, Some(stack)) = (prepared.plan.operation, &prepared.observed.stack) {
        delete_remains(cx, stack).await?;
    }
    prepare::store(cx, prepared).await?;
    let id = stack::create(client, cx.stack(), &prepared.template.body, &prepared.parameters).await?;
    tokio::join!(followed(cx, "creation", &id, StackOperation::Creation), beside).0
}

async fn followed(cx: &Context, name: &'static str, stack_id: &str, operation: StackOperation) -> Result<Stack> {
    let answering = Answering::begin();
    cx.events.emit(Event::OperationStarted { operation: name, stack: cx.stack().to_owned() });
    let (ended, cancelled) = follow(cx, name, "up", stack_id, &operation, answering).await?;
    match ended.stack {
        // A failed creation ends with the stack deleted, and its ARN still describes it.
        Some(stack) if status::succeeded(&ended.status) && ended.status != "DELETE_COMPLETE" => Ok(stack),
        _ if cancelled => {
            Err(Error::new(format!("the {name} of stack `{}` was cancelled ({})", cx.stack(), ended.status))
                .hint(format!("`{}` begins it again", cx.command("up"))))
        }
        _ => Err(failed(cx, name, &ended, stack_id).await),
    }
}

/// Follows an operation. Ctrl-C leaves it to itself; a second one cancels an update, and then its rollback is followed.
async fn follow(
    cx: &Context,
    name: &str,
    again: &str,
    stack_id: &str,
    operation: &StackOperation,
    mut answering: Answering,
) -> Result<(Ended, bool)> {
    let started = Instant::now();
    let following = follow::to_the_end(&cx.clients.cloudformation, stack_id, operation, |event| {
        cx.events.emit(Event::Resource { event: event.clone() });
    });
    tokio::pin!(following);
    let (mut leave, mut cancelled) = (None, false);
    let ended = loop {
        tokio::select! {
            ended = &mut following => break ended?,
            () = sleep_until(leave.unwrap_or(started)), if leave.is_some() => return Err(detached(cx, name, again)),
            Some(()) = answering.next() => {
                if name != "update" || cancelled {
                    return Err(detached(cx, name, again));
                }
                if leave.is_none() {
                    leave = Some(Instant::now() + SECOND_THOUGHTS);
                    cx.events.emit(Event::Warning {
                        message: format!("leaving; the update of stack `{}` goes on in AWS", cx.stack()),
                        hint: Some("press Ctrl-C again now to cancel the update: what it did is rolled back".into()),
                    });
                } else {
                    stack::cancel_update(&cx.clients.cloudformation, stack_id, operation.cancel_token()).await?;
                    (leave, cancelled) = (None, true);
                    cx.events.emit(Event::Warning {
                        message: format!("cancelled: stack `{}` goes back to what it was", cx.stack()),
                        hint: Some("Ctrl-C once more leaves the rollback to itself".into()),
                    });
                }
            }
        }
    };
    cx.events.emit(Event::OperationEnded {
        stack: cx.stack().to_owned(),
        status: ended.status.clone(),
        ok: match name {
            "rollback" => ended.status == "UPDATE_ROLLBACK_COMPLETE",
            "deletion" | "operation" => status::succeeded(&ended.status),
            // A creation that ends with the stack removed has failed.
            _ => status::succeeded(&ended.status) && ended.status != "DELETE_COMPLETE",
        },
        seconds: started.elapsed().as_secs_f64(),
    });
    Ok((ended, cancelled))
}

fn detached(cx: &Context, operation: &str, again: &str) -> Error {
    Error::new(format!("detached: the {operation} of stack `{}` goes on in AWS", cx.stack()))
        .exit(Exit::Blocked)
        .hint(format!("`{}` joins it again", cx.command(again)))
}

async fn failed(cx: &Context, operation: &str, ended: &Ended, stack_id: &str) -> Error {
    explain(cx, ended, stack_id).await;
    let removed = if ended.status == "DELETE_COMPLETE" { ", and what it had made was removed" } else { "" };
    Error::new(format!("the {operation} of stack `{}` failed ({}){removed}", cx.stack(), ended.status))
        .hint(format!("when the cause is mended, run `{}` again", cx.command("up")))
}

/// Reports the cause of a failure, where the events tell one.
pub async fn explain(cx: &Context, ended: &Ended, stack_id: &str) {
    if let Some(mut diagnosis) = diagnose(&ended.events) {
        if let Some(id) = &diagnosis.hook_result {
            diagnosis.advice = failures::advice(&cx.clients.cloudformation, id).await;
        }
        let real = cx.local.is_none() && !cx.clients.custom_endpoint;
        let console = real.then(|| console(stack_id, cx.region()));
        cx.events.emit(Event::Failed { diagnosis, console });
    }
}

/// Follows somebody else's operation to its end, whatever that is.
///
/// # Errors
/// The stack cannot be followed.
pub async fn join(cx: &Context, stack: &Stack, command: status::Command) -> Result<()> {
    let answering = Answering::begin();
    cx.events.emit(Event::Joined { stack: stack.name.clone(), status: stack.status.clone() });
    let operation = follow::join(&cx.clients.cloudformation, &stack.id).await?;
    follow(cx, "operation", command.name(), &stack.id, &operation, answering).await.map(|_| ())
}

/// Continues a failed rollback: as it is, then without the resources that stop it, then by force.
///
/// # Errors
/// The rollback cannot be finished.
pub async fn continue_rollback(cx: &Context, stack: &Stack) -> Result<()> {
    cx.confirm(&format!("stack {} is stuck in {}: continue its rollback?", stack.name, stack.status))?;
    let client = &cx.clients.cloudformation;
    let mut skip = Vec::new();
    let mut last = None;
    for force in [false, false, true] {
        let operation = follow::begin();
        // With force CloudFormation chooses by itself, and refuses a request that names some too.
        let named = if force { Vec::new() } else { skip.clone() };
        let choosy = !named.is_empty();
        match stack::continue_rollback(client, stack, named, force, operation.token()).await {
            // One of the names may be of no use; force needs none.
            Err(_) if choosy => continue,
            begun => begun?,
        }
        let answering = Answering::begin();
        cx.events.emit(Event::OperationStarted { operation: "continued rollback", stack: stack.name.clone() });
        let (ended, _) = follow(cx, "rollback", "up", &stack.id, &operation, answering).await?;
        if ended.status == "UPDATE_ROLLBACK_COMPLETE" {
            if !skip.is_empty() {
                cx.events.emit(Event::Warning {
                    message: format!("the rollback went on without {}", skip.join(", ")),
                    hint: Some(
                        "these may differ from what CloudFormation believes; the next update sets them again".into(),
                    ),
                });
            }
            return Ok(());
        }
        skip.extend(ended.events.iter().filter(|e| is_stuck(e)).map(|e| e.logical_id.clone()));
        skip.sort();
        skip.dedup();
        last = Some(ended);
    }
    if let Some(ended) = last {
        explain(cx, &ended, &stack.id).await;
    }
    Err(Error::new(format!("stack `{}` cannot finish its rollback", stack.name))
        .exit(Exit::Blocked)
        .hint(format!("mend what the events name, then run `{}` again", cx.command("up"))))
}

fn is_stuck(event: &StackEvent) -> bool {
    // What was only cancelled when something else failed cannot be skipped.
    let cancelled = event.reason.as_deref().is_some_and(|reason| reason.to_ascii_lowercase().contains("cancelled"));
    event.status == "UPDATE_FAILED" && !cancelled && event.resource_type != "AWS::CloudFormation::Stack"
}

/// Deletes what a failed creation left, provided that no bucket or table survives in it.
async fn delete_remains(cx: &Context, stack: &Stack) -> Result<()> {
    let client = &cx.clients.cloudformation;
    preflight::check_protection(cx, stack)?;
    let left = stack::resources(client, &stack.id).await?;
    for resource in left.iter().filter(|resource| status::holds(&stack.status, &resource.status)) {
        if resource.is_data() && crate::aws::proof::is_gone(&cx.clients, resource).await? == Some(false) {
            return Err(Error::new(format!(
                "stack `{}` failed ({}), and its {} `{}` still exists",
                stack.name, stack.status, resource.resource_type, resource.physical_id
            ))
            .exit(Exit::Blocked)
            .hint(format!(
                "`{}` removes both; `{}` keeps the data for `up --adopt`",
                cx.command("down"),
                cx.command("down --keep-data")
            )));
        }
    }
    // It holds no data; what it lists of such was never its own.
    let ended = delete(cx, stack, &Deletion { keeps_data: true, ..Deletion::default() }).await?;
    if ended.status == "DELETE_COMPLETE" {
        return Ok(());
    }
    explain(cx, &ended, &stack.id).await;
    Err(Error::new(format!("what is left of stack `{}` cannot be deleted ({})", stack.name, ended.status))
        .exit(Exit::Blocked)
        .hint(format!(
            "`{}` goes further: it empties, leaves what does not go, and says what is left",
            cx.command("down")
        )))
}

/// Deletes a stack and follows it; the ended operation says whether it is gone.
///
/// # Errors
/// The deletion cannot be started or followed.
pub async fn delete(cx: &Context, stack: &Stack, deletion: &Deletion) -> Result<Ended> {
    begin_deletion(cx, stack, deletion).await?.to_the_end(cx).await
}

/// A deletion that CloudFormation has accepted.
#[derive(Debug)]
pub struct Deleting<'a> {
    stack: &'a Stack,
    operation: StackOperation,
}

/// Starts a deletion.
///
/// # Errors
/// It is refused.
pub async fn begin_deletion<'a>(cx: &Context, stack: &'a Stack, deletion: &Deletion) -> Result<Deleting<'a>> {
    let operation = follow::begin_as(if deletion.keeps_data { operation::KEEPING } else { "" });
    stack::delete(&cx.clients.cloudformation, stack, deletion, operation.token()).await?;
    Ok(Deleting { stack, operation })
}

impl Deleting<'_> {
    /// Follows it; the ended operation says whether the stack is gone.
    ///
    /// # Errors
    /// It cannot be followed.
    pub async fn to_the_end(&self, cx: &Context) -> Result<Ended> {
        let answering = Answering::begin();
        cx.events.emit(Event::OperationStarted { operation: "deletion", stack: self.stack.name.clone() });
        follow(cx, "deletion", "down", &self.stack.id, &self.operation, answering).await.map(|(ended, _)| ended)
    }
}

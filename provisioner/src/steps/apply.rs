//! Starts stack operations and follows them to their end, with every event reported and every failure explained.

use std::time::Instant;

use crate::aws::change_set;
use crate::aws::follow::{self, Ended, Since};
use crate::aws::stack::{self, Deletion, Stack};
use crate::cli::Context;
use crate::core::diagnosis::diagnose;
use crate::core::event::Event;
use crate::core::plan::Operation;
use crate::core::status;
use crate::error::{Error, Exit, Result};
use crate::steps::prepare::{self, Prepared};

/// Does what the plan says and returns the stack as it then is.
///
/// # Errors
/// The operation fails; its cause was reported.
pub async fn run(cx: &Context, prepared: &Prepared) -> Result<Stack> {
    let client = &cx.clients.cloudformation;
    if let Some(change_set) = &prepared.change_set {
        let since = match prepared.plan.operation {
            Operation::Update => Since::now(client, &change_set.stack_id).await?,
            _ => Since::creation(),
        };
        change_set::execute(client, change_set).await?;
        return followed(cx, "update", &change_set.stack_id, since).await;
    }
    if let (Operation::Recreate, Some(stack)) = (prepared.plan.operation, &prepared.observed.stack) {
        delete_remains(cx, stack).await?;
    }
    prepare::store(cx, prepared).await?;
    let id = stack::create(client, cx.stack(), &prepared.template.body, &prepared.parameters).await?;
    followed(cx, "creation", &id, Since::creation()).await
}

async fn followed(cx: &Context, operation: &'static str, stack_id: &str, since: Since) -> Result<Stack> {
    cx.events.emit(Event::OperationStarted { operation, stack: cx.stack().to_owned() });
    let ended = follow(cx, operation, stack_id, since).await?;
    match ended.stack {
        Some(stack) if status::succeeded(&ended.status) => Ok(stack),
        _ => Err(failed(cx, operation, &ended, stack_id)),
    }
}

/// Follows an operation; Ctrl-C leaves it to itself.
async fn follow(cx: &Context, operation: &str, stack_id: &str, since: Since) -> Result<Ended> {
    let started = Instant::now();
    let following = follow::to_the_end(&cx.clients.cloudformation, stack_id, since, |event| {
        cx.events.emit(Event::Resource { event: event.clone() });
    });
    let ended = tokio::select! {
        ended = following => ended?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Error::new(format!("detached: the {operation} of stack `{}` goes on in AWS", cx.stack()))
                .exit(Exit::Blocked)
                .hint(format!("`{}` joins it again", cx.command("up"))));
        }
    };
    cx.events.emit(Event::OperationEnded {
        stack: cx.stack().to_owned(),
        status: ended.status.clone(),
        seconds: started.elapsed().as_secs_f64(),
    });
    Ok(ended)
}

fn failed(cx: &Context, operation: &str, ended: &Ended, stack_id: &str) -> Error {
    if let Some(diagnosis) = diagnose(&ended.events) {
        let console = (cx.local.is_none() && !cx.clients.custom_endpoint).then(|| {
            format!(
                "https://{0}.console.aws.amazon.com/cloudformation/home?region={0}#/stacks/events?stackId={stack_id}",
                cx.region()
            )
        });
        cx.events.emit(Event::Failed { diagnosis, console });
    }
    let removed = if ended.status == "DELETE_COMPLETE" { ", and what it had made was removed" } else { "" };
    Error::new(format!("the {operation} of stack `{}` failed ({}){removed}", cx.stack(), ended.status))
        .hint(format!("when the cause is mended, run `{}` again", cx.command("up")))
}

/// Follows somebody else's operation to its end, whatever that is.
///
/// # Errors
/// The stack cannot be followed.
pub async fn join(cx: &Context, stack: &Stack) -> Result<()> {
    cx.events.emit(Event::Joined { stack: stack.name.clone(), status: stack.status.clone() });
    let since = Since::now(&cx.clients.cloudformation, &stack.id).await?;
    follow(cx, "operation", &stack.id, since).await.map(|_| ())
}

/// Continues a failed rollback; a second failure skips the resources that stop it.
///
/// # Errors
/// The rollback cannot be finished.
pub async fn continue_rollback(cx: &Context, stack: &Stack) -> Result<()> {
    cx.confirm(&format!("stack {} is stuck in {}: continue its rollback?", stack.name, stack.status))?;
    let client = &cx.clients.cloudformation;
    let mut skip = Vec::new();
    for attempt in 0..2 {
        let since = Since::now(client, &stack.id).await?;
        stack::continue_rollback(client, stack, skip.clone()).await?;
        cx.events.emit(Event::OperationStarted { operation: "continued rollback", stack: stack.name.clone() });
        let ended = follow(cx, "rollback", &stack.id, since).await?;
        if ended.status == "UPDATE_ROLLBACK_COMPLETE" {
            return Ok(());
        }
        if attempt == 0 {
            let mut stuck: Vec<String> =
                ended.events.iter().filter(|e| e.status == "UPDATE_FAILED").map(|e| e.logical_id.clone()).collect();
            stuck.sort();
            stuck.dedup();
            skip = stuck;
        }
    }
    Err(Error::new(format!("stack `{}` cannot finish its rollback", stack.name))
        .exit(Exit::Blocked)
        .hint(format!("mend what the events name, then run `{}` again", cx.command("up"))))
}

/// Deletes what a failed creation left, provided that no bucket or table survives in it.
async fn delete_remains(cx: &Context, stack: &Stack) -> Result<()> {
    let left = stack::resources(&cx.clients.cloudformation, &stack.id).await?;
    for resource in &left {
        let data = matches!(resource.resource_type.as_str(), "AWS::S3::Bucket" | "AWS::DynamoDB::Table");
        if data && crate::aws::proof::is_gone(&cx.clients, resource).await? == Some(false) {
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
    delete(cx, stack, &Deletion::default()).await.map(|_| ())
}

/// Deletes a stack and follows it; the ended operation says whether it is gone.
///
/// # Errors
/// The deletion cannot be started or followed.
pub async fn delete(cx: &Context, stack: &Stack, deletion: &Deletion) -> Result<Ended> {
    let since = Since::now(&cx.clients.cloudformation, &stack.id).await?;
    stack::delete(&cx.clients.cloudformation, stack, deletion).await?;
    cx.events.emit(Event::OperationStarted { operation: "deletion", stack: stack.name.clone() });
    follow(cx, "deletion", &stack.id, since).await
}

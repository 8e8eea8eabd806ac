//! Adds the queue for existing pictures to a stack that lacks it.
//!
//! Invariant: nothing else changes. The deployed template and all other parameters stay as they are.

use crate::aws::change_set::{self, ChangeSet, Mode};
use crate::aws::stack::{self, Stack};
use crate::context::Context;
use crate::core::event::Event;
use crate::core::hint::Hint;
use crate::core::plan::{Operation, Plan};
use crate::core::template;
use crate::error::{Error, Exit, Result};
use crate::steps::{apply, prepared};

/// Shows what would be added, asks, updates the stack, and returns it.
///
/// # Errors
/// The deployed template is too old, the user declined, or the update fails.
pub async fn add(cx: &Context, stack: &Stack, concurrency: i64) -> Result<Stack> {
    let client = &cx.clients.cloudformation;
    let body = stack::template(client, &stack.id).await?;
    if !template::read(&body).is_ok_and(|template| template.parameters.contains_key("Backfill")) {
        return Err(Error::new(format!("the template of stack `{}` is too old for existing pictures", stack.name))
            .exit(Exit::Refused)
            .hint(
                Hint::command("up --parameter Backfill=yes")
                    .arg("--parameter")
                    .arg(format!("BackfillConcurrency={concurrency}"))
                    .then(" updates it"),
            ));
    }
    let mut parameters = stack.parameters.clone();
    parameters.insert("Backfill".to_owned(), "yes".to_owned());
    parameters.insert("BackfillConcurrency".to_owned(), concurrency.to_string());
    // Pictures that fail permanently must not be lost.
    parameters.insert("FailureQueue".to_owned(), "yes".to_owned());
    let request = change_set::Request {
        stack: cx.stack(),
        template: &body,
        parameters: &parameters,
        import_existing: false,
        create: false,
        tags: &stack.tags,
        role: None,
        saved: false,
        mode: Mode::Standard,
    };
    let change_set = change_set::create(client, &request).await?;
    let plan = Plan::new(Operation::Update, change_set.changes.clone());
    cx.events.emit(Event::Planned { plan: plan.clone() });
    if let Err(refused) = agree(cx, &plan) {
        change_set::discard(client, &change_set.id).await;
        return Err(refused);
    }
    execute(cx, &change_set).await
}

fn agree(cx: &Context, plan: &Plan) -> Result<()> {
    prepared::check_data_loss(plan, false)?;
    cx.confirm(&format!("add the queue for existing pictures to stack {}?", cx.stack()))
}

async fn execute(cx: &Context, change_set: &ChangeSet) -> Result<Stack> {
    let stack = apply::update(cx, change_set).await?;
    cx.events.emit(Event::Outputs { outputs: stack.outputs.clone() });
    Ok(stack)
}

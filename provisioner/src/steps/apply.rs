//! Does what a plan says.

use crate::aws::change_set::{self, Mode};
use crate::aws::follow;
use crate::aws::proof;
use crate::aws::stack::{self, Deletion, Stack};
use crate::context::Context;
use crate::core::event::Event;
use crate::core::first_step::Command;
use crate::core::hint::Hint;
use crate::core::operation::{Kind, Origin};
use crate::core::plan::{Operation as Planned, Plan};
use crate::error::{Error, Exit, Result};
use crate::steps::operation::{self, Operation};
use crate::steps::preflight;
use crate::steps::prepared::{self, Prepared};

/// Does what the plan says and returns the stack as it is afterwards. `beside` runs once CloudFormation has accepted the operation.
///
/// # Errors
/// The operation fails; its cause was reported.
pub async fn run(cx: &Context, prepared: &Prepared, beside: impl Future<Output = ()>) -> Result<Stack> {
    let client = &cx.clients.cloudformation;
    let operation = if let Some(change_set) = &prepared.change_set {
        let (kind, origin) = match prepared.plan.operation {
            Planned::Update => (Kind::Update, follow::begin()),
            _ => (Kind::Creation, Origin::NewStack),
        };
        change_set::execute(client, change_set, origin.token()).await?;
        Operation { kind, stack_id: change_set.stack_id.clone(), origin, command: Command::Up }
    } else {
        if let (Planned::Recreate, Some(stack)) = (prepared.plan.operation, &prepared.observed.stack) {
            delete_remains(cx, stack).await?;
        }
        prepared::store(cx, prepared).await?;
        let stack_id = stack::create(client, cx.stack(), &prepared.template.body, &prepared.parameters).await?;
        Operation { kind: Kind::Creation, stack_id, origin: Origin::NewStack, command: Command::Up }
    };
    tokio::join!(followed(cx, &operation), beside).0
}

async fn followed(cx: &Context, operation: &Operation) -> Result<Stack> {
    let followed = operation.follow(cx).await?;
    let (kind, status) = (operation.kind, followed.ended.status.clone());
    let label = kind.label();
    match followed.ended.stack {
        // A failed creation ends with the stack deleted, and its ARN still describes it.
        Some(stack) if kind.succeeded(&status) => Ok(stack),
        _ if followed.cancelled => {
            Err(Error::new(format!("the {label} of stack `{}` was cancelled ({status})", cx.stack()))
                .hint(Hint::command("up").then(" starts it again")))
        }
        _ => {
            operation::explain(cx, &followed.ended, &operation.stack_id).await;
            let removed = if status.is_deleted() { ", and what it had created was removed" } else { "" };
            Err(Error::new(format!("the {label} of stack `{}` failed ({status}){removed}", cx.stack()))
                .hint(Hint::from("fix the errors shown above, then run ").then_command("up").then(" again")))
        }
    }
}

/// Deletes the remains of a failed creation, provided that no bucket or table still exists among them.
async fn delete_remains(cx: &Context, stack: &Stack) -> Result<()> {
    preflight::check_protection(cx, stack)?;
    let left = stack::resources(&cx.clients.cloudformation, &stack.id).await?;
    for resource in left.iter().filter(|resource| stack.status.holds(&resource.status)) {
        if resource.is_data() && proof::is_gone(&cx.clients, resource).await? == Some(false) {
            return Err(Error::new(format!(
                "stack `{}` failed ({}), and its {} `{}` still exists",
                stack.name, stack.status, resource.resource_type, resource.physical_id
            ))
            .exit(Exit::Blocked)
            .hint(
                Hint::command("down")
                    .then(" removes both; ")
                    .then_command("down --keep-data")
                    .then(" keeps the data for ")
                    .then_command("up --adopt"),
            ));
        }
    }
    // It holds no data; the data resources that it lists were never its own.
    let deletion = Deletion { keeps_data: true, ..Deletion::default() };
    let ended = operation::begin_deletion(cx, stack, &deletion).await?.follow(cx).await?.ended;
    if ended.status.is_deleted() {
        return Ok(());
    }
    operation::explain(cx, &ended, &stack.id).await;
    Err(Error::new(format!("the remains of stack `{}` cannot be deleted ({})", stack.name, ended.status))
        .exit(Exit::Blocked)
        .hint(
            Hint::command("down")
                .then(" does more: it empties buckets, retains what cannot be deleted, and says what is left"),
        ))
}

/// Changes what was imported to the template's settings, with a second change set.
///
/// # Errors
/// It would replace something, or it fails. What was imported stays in the stack in either case.
pub async fn complete_adoption(cx: &Context, prepared: &mut Prepared, imported: Stack) -> Result<Stack> {
    let client = &cx.clients.cloudformation;
    let request = change_set::Request {
        stack: cx.stack(),
        template: &prepared.template.body,
        parameters: &prepared.parameters,
        import_existing: false,
        create: false,
        mode: Mode::Standard,
    };
    let second = change_set::create(client, &request).await?;
    if second.nothing {
        return Ok(imported);
    }
    let plan = Plan::new(Planned::Update, second.changes.clone());
    cx.events.emit(Event::Planned { plan: plan.clone() });
    if let Err(refused) = prepared::check_data_loss(&plan, false) {
        change_set::discard(client, &second.id).await;
        return Err(refused.cause("the table or bucket is in the stack now, unchanged"));
    }
    prepared.plan = plan;
    prepared.change_set = Some(second);
    run(cx, prepared, async {}).await
}

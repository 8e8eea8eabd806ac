//! Executes a plan.

use crate::aws::change_set::{self, ChangeSet, Mode};
use crate::aws::follow;
use crate::aws::proof;
use crate::aws::stack::{self, Creation, Deletion, Refusal, Stack};
use crate::context::Context;
use crate::core::event::Event;
use crate::core::first_step::Command;
use crate::core::hint::Hint;
use crate::core::operation::{CREATING, Kind, Origin};
use crate::core::plan::{Operation as Planned, Plan};
use crate::error::{Error, Exit, Result};
use crate::steps::failed_creation;
use crate::steps::operation::{self, Operation};
use crate::steps::preflight;
use crate::steps::prepared::{self, CODE_KEY, Prepared};

/// Executes the plan and returns the resulting stack. `beside` runs once CloudFormation has accepted the operation.
///
/// # Errors
/// If the operation fails, its cause has already been reported.
pub async fn run(cx: &Context, prepared: &Prepared, beside: impl Future<Output = ()>) -> Result<Stack> {
    let (kind, origin, stack_id) = begin(cx, prepared).await?;
    let operation = Operation { kind, stack_id, origin, command: Command::Up };
    tokio::join!(followed(cx, &operation), beside).0
}

/// Starts the operation; returns its kind, its origin, and the stack's ARN.
async fn begin(cx: &Context, prepared: &Prepared) -> Result<(Kind, Origin, String)> {
    let client = &cx.clients.cloudformation;
    if let Some(change_set) = &prepared.change_set {
        let (kind, origin) = match prepared.plan.operation {
            Planned::Update => (Kind::Update, follow::begin()),
            _ => (Kind::Creation, Origin::NewStack),
        };
        let token = origin.token().unwrap_or_else(|| follow::token(CREATING));
        change_set::execute(client, change_set, Some(token)).await?;
        return Ok((kind, origin, change_set.stack_id.clone()));
    }
    if let (Planned::Update, Some(stack)) = (prepared.plan.operation, &prepared.observed.stack) {
        return update_package(cx, prepared, stack).await;
    }
    if let (Planned::Recreate, Some(stack)) = (prepared.plan.operation, &prepared.observed.stack) {
        delete_remains(cx, stack, prepared.role.clone()).await?;
    }
    failed_creation::remove(cx, &prepared.remains).await?;
    prepared::store(cx, prepared).await?;
    let token = follow::token(CREATING);
    let creation = Creation {
        name: cx.stack(),
        template: &prepared.template.body,
        parameters: &prepared.parameters,
        tags: &prepared.tags,
        role: prepared.role.as_deref(),
        token: &token,
    };
    Ok((Kind::Creation, Origin::NewStack, stack::create(client, &creation).await?))
}

/// Updates only the package. If `UpdateStack` is denied, it uses a change set.
async fn update_package(cx: &Context, prepared: &Prepared, stack: &Stack) -> Result<(Kind, Origin, String)> {
    let client = &cx.clients.cloudformation;
    prepared::store(cx, prepared).await?;
    let origin = follow::begin();
    let key = prepared.parameters.get(CODE_KEY).map(String::as_str).unwrap_or_default();
    match stack::update_parameter(client, stack, CODE_KEY, key, origin.token()).await {
        Ok(()) => {}
        Err(Refusal::Failed(error)) => return Err(error),
        Err(Refusal::Denied) => {
            let change_set = change_set::create(client, &plain_update(cx, prepared)).await?;
            let mut others = change_set.changes.iter().filter(|change| change.resource_type != "AWS::Lambda::Function");
            if let Some(other) = others.next() {
                change_set::discard(client, &change_set.id).await;
                return Err(Error::new(format!("the update would also change `{}`", other.logical_id))
                    .cause("`cloudformation:UpdateStack`, which changes only the package, is denied")
                    .exit(Exit::Blocked)
                    .hint(
                        Hint::from("the stack has changed since the plan was made; run ")
                            .then_command("up")
                            .then(" again"),
                    ));
            }
            change_set::execute(client, &change_set, origin.token()).await?;
        }
    }
    Ok((Kind::Update, origin, stack.id.clone()))
}

/// A change set that brings the whole stack to the template.
fn plain_update<'a>(cx: &'a Context, prepared: &'a Prepared) -> change_set::Request<'a> {
    change_set::Request {
        stack: cx.stack(),
        template: &prepared.template.body,
        parameters: &prepared.parameters,
        import_existing: false,
        create: false,
        tags: &prepared.tags,
        role: prepared.role.as_deref(),
        saved: false,
        mode: Mode::Standard,
    }
}

/// Executes a change set that updates the stack, and returns the resulting stack.
///
/// # Errors
/// If the update fails, its cause has already been reported.
pub async fn update(cx: &Context, change_set: &ChangeSet) -> Result<Stack> {
    let origin = follow::begin();
    change_set::execute(&cx.clients.cloudformation, change_set, origin.token()).await?;
    let stack_id = change_set.stack_id.clone();
    followed(cx, &Operation { kind: Kind::Update, stack_id, origin, command: Command::Up }).await
}

async fn followed(cx: &Context, operation: &Operation) -> Result<Stack> {
    let followed = operation.follow(cx).await?;
    let (kind, status) = (operation.kind, followed.ended.status.clone());
    let label = kind.label();
    match followed.ended.stack {
        // After a failed creation, the stack is deleted, but its ARN still describes it.
        Some(stack) if kind.succeeded(&status) => Ok(stack),
        _ if kind == Kind::Update && status.is_deleted() => {
            Err(Error::new(format!("somebody else deleted stack `{}` during the {label}", cx.stack()))
                .exit(Exit::Blocked)
                .hint(Hint::command("up").then(" creates it again")))
        }
        _ if followed.cancelled => {
            Err(Error::new(format!("the {label} of stack `{}` was cancelled ({status})", cx.stack()))
                .hint(Hint::command("up").then(" starts it again")))
        }
        _ => {
            operation::explain(cx, &followed.ended, &operation.stack_id).await;
            let left = match followed.ended.stack.as_ref().and_then(Stack::account).filter(|_| status.is_deleted()) {
                Some(account) => failed_creation::left_by(cx, &operation.stack_id, account).await.ok(),
                None => None,
            };
            let removed = match &left {
                Some(left) if left.is_empty() => "; CloudFormation deleted the resources that it had created",
                Some(_) => "; CloudFormation did not delete all resources that it had created",
                None => "",
            };
            let error = Error::new(format!("the {label} of stack `{}` failed ({status}){removed}", cx.stack()));
            let left = left.unwrap_or_default();
            let buckets = left.buckets.iter().map(|bucket| format!("bucket `{}` still exists", bucket.name));
            let tables = left.tables.iter().map(|name| format!("table `{name}` still exists"));
            let error = buckets.chain(tables).fold(error, Error::cause);
            Err(error.hint(Hint::from("fix the errors shown above, then run ").then_command("up").then(" again")))
        }
    }
}

/// Deletes the remains of a failed creation, unless they include a bucket or a table that still exists.
async fn delete_remains(cx: &Context, stack: &Stack, role: Option<String>) -> Result<()> {
    preflight::check_protection(stack)?;
    let left = stack::resources(&cx.clients.cloudformation, &stack.id).await?;
    for resource in left.iter().filter(|resource| stack.status.holds(&resource.status)) {
        if resource.is_data() && proof::is_gone(&cx.clients, resource).await? == Some(false) {
            return Err(Error::new(format!(
                "the creation of stack `{}` failed ({}), but its {} `{}` still exists",
                stack.name, stack.status, resource.resource_type, resource.physical_id
            ))
            .exit(Exit::Blocked)
            .hint(
                Hint::command("down")
                    .then(" deletes both; ")
                    .then_command("down --keep-data")
                    .then(" keeps the data for ")
                    .then_command("up --adopt"),
            ));
        }
    }
    // The stack has no data: buckets and tables that it lists were never its own.
    let deletion = Deletion { keeps_data: true, role, ..Deletion::default() };
    let ended = operation::begin_deletion(cx, stack, &deletion).await?.follow(cx).await?.ended;
    if ended.status.is_deleted() {
        return Ok(());
    }
    operation::explain(cx, &ended, &stack.id).await;
    Err(Error::new(format!("the remains of stack `{}` cannot be deleted ({})", stack.name, ended.status))
        .exit(Exit::Blocked)
        .hint(
            Hint::command("down")
                .then(" also empties buckets, retains resources that cannot be deleted, and reports them"),
        ))
}

/// Applies the template's settings to the imported resources, with a second change set.
///
/// # Errors
/// The change set would replace a resource, or it fails. In either case, the imported resources stay in the stack.
pub async fn complete_adoption(cx: &Context, prepared: &mut Prepared, imported: Stack) -> Result<Stack> {
    let client = &cx.clients.cloudformation;
    let second = change_set::create(client, &plain_update(cx, prepared)).await?;
    if second.nothing {
        return Ok(imported);
    }
    let plan = Plan::new(Planned::Update, second.changes.clone());
    cx.events.emit(Event::Planned { plan: plan.clone() });
    if let Err(refused) = prepared::check_data_loss(&plan, false) {
        change_set::discard(client, &second.id).await;
        return Err(refused.cause("the import has succeeded; the imported resources were not changed"));
    }
    prepared.plan = plan;
    prepared.change_set = Some(second);
    run(cx, prepared, async {}).await
}

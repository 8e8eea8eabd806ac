//! Checks that run before anything is built or changed: the region, the account, the stack, and names that are taken.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};

use crate::aws::identity::{self, Identity};
use crate::aws::stack::Stack;
use crate::aws::{bucket, change_set, owner, proof, stack, table};
use crate::context::Context;
use crate::core::adopt::{BUCKET, Declared};
use crate::core::error_code::Code;
use crate::core::event::Event;
use crate::core::first_step::{Command, Condition, FirstStep};
use crate::core::hint::Hint;
use crate::core::render::{Resource, Scope, Target};
use crate::core::status::StackStatus;
use crate::core::{names, template};
use crate::error::{Error, Exit, Result};
use crate::steps::data::Data;

/// The state before a command begins.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The stack, if there is one.
    pub stack: Option<Stack>,
    /// Twelve digits.
    pub account: String,
    /// For example `aws`.
    pub partition: String,
    /// The caller's principal for IAM's simulator, if it is known and can be simulated.
    pub principal: Option<String>,
    /// Whether another operation on the stack was running and has been followed.
    pub joined: bool,
}

impl Observed {
    /// Where the template is deployed.
    #[must_use]
    pub fn target<'a>(&'a self, cx: &'a Context) -> Target<'a> {
        Target { region: cx.region(), partition: &self.partition, account: &self.account, stack: cx.stack() }
    }
}

/// Finds the stack and the caller, in parallel: a stack's ARN contains the account, but only STS knows the caller.
pub async fn observe(cx: &Context) -> Result<Observed> {
    let (stack, caller) =
        tokio::join!(stack::describe(&cx.clients.cloudformation, cx.stack()), identity::caller(&cx.clients.sts));
    let stack = stack?;
    let known = stack.as_ref().and_then(|stack| Some((stack.account()?.to_owned(), stack.partition().to_owned())));
    let principal = caller.as_ref().ok().and_then(Identity::simulated);
    let (account, partition, arn) = match (caller, known) {
        (Ok(caller), _) => (caller.account, caller.partition, Some(caller.arn)),
        // An endpoint for CloudFormation alone, say.
        (Err(_), Some((account, partition))) => (account, partition, None),
        (Err(error), None) => return Err(error),
    };
    cx.events.emit(Event::Identity {
        account: account.clone(),
        arn,
        partition: partition.clone(),
        credentials: cx.clients.credential_source(),
    });
    Ok(Observed { stack, account, partition, principal, joined: false })
}

/// Refuses to touch a stack that another tool created or is about to create.
pub async fn check_owner(cx: &Context, stack: &Stack) -> Result<()> {
    if stack.is_ours() {
        return Ok(());
    }
    let refused = |message: String| {
        let error = Error::new(message).exit(Exit::Refused).code(Code::ForeignStack);
        Err(error.hint("choose another name with `--stack NAME`"))
    };
    if stack.status != StackStatus::ReviewInProgress {
        return refused(format!("stack `{}` was not created by provisioner, so it is not changed", stack.name));
    }
    // Emulators do not store the tags of a stack in review, but its change sets tell who created it.
    let foreign = change_set::foreign(&cx.clients.cloudformation, &stack.id).await?;
    if foreign.is_empty() {
        return Ok(());
    }
    refused(format!("somebody else is about to create stack `{}`", stack.name))
        .map_err(|error: Error| error.cause(format!("change set {} can be executed", foreign.join(", "))))
}

/// Refuses to delete a protected stack.
pub fn check_protection(stack: &Stack) -> Result<()> {
    if !stack.protected {
        return Ok(());
    }
    Err(Error::new(format!("stack `{}` has termination protection", stack.name)).exit(Exit::Refused).hint(
        Hint::from("to switch it off, run ").then_shell([
            "aws",
            "cloudformation",
            "update-termination-protection",
            "--no-enable-termination-protection",
            "--stack-name",
            &stack.name,
        ]),
    ))
}

/// Refuses to create a table or bucket that already exists outside the stack, so that CloudFormation does not fail
/// halfway. Those in `known` will be deleted first.
pub async fn check_clashes(cx: &Context, declared: &[Declared], known: &Data) -> Result<()> {
    let exists = async |one: &Declared| match one.resource_type.as_str() {
        BUCKET if known.buckets.iter().any(|bucket| bucket.name == one.name) => Ok(false),
        BUCKET => bucket::exists(&cx.clients.s3, &one.name).await,
        _ if known.tables.contains(&one.name) => Ok(false),
        _ => table::exists(&cx.clients.dynamodb, &one.name).await,
    };
    let found = try_join_all(declared.iter().map(exists)).await?;
    let Some((one, _)) = declared.iter().zip(found).find(|(_, exists)| *exists) else { return Ok(()) };
    let (kind, name) = (one.kind(), &one.name);
    let error = Error::new(format!("{kind} `{name}` already exists in {}, outside the stack", cx.region()));
    // Which stack has it only adds a cause, so a caller who may not ask still gets the error.
    let error = match owner::stack_of(&cx.clients, &one.resource_type, name).await.ok().flatten() {
        Some(stack) => error.cause(format!("it belongs to stack `{stack}`")),
        None => error.hint(format!("add `--adopt` to `up` to import it into the stack with its {}", one.contents())),
    };
    let parameter = one.parameter();
    Err(error.exit(Exit::Refused).hint(format!("choose another {kind} with `--parameter {parameter}=NAME`")))
}

/// Refuses a function or a log group that already has the name of the template's: CloudFormation cannot import it here.
///
/// The local cloud takes over existing resources, and a late invocation can re-create its log group.
pub async fn check_taken(cx: &Context, scope: &Scope<'_>) -> Result<()> {
    if cx.local.is_some() {
        return Ok(());
    }
    let named = |resource: Resource| {
        let property = match resource.resource_type.as_str() {
            FUNCTION => "FunctionName",
            LOG_GROUP => "LogGroupName",
            _ => return None,
        };
        let name = resource.properties.get(property)?.as_str()?.to_owned();
        Some((resource.resource_type, name))
    };
    let candidates: Vec<(String, String)> = scope.resources().into_iter().filter_map(named).collect();
    // Without the permission to ask, CloudFormation has the last word.
    let exists = async |(resource_type, name): &(String, String)| {
        matches!(proof::is_free(&cx.clients, resource_type, name).await, Ok(Some(false)))
    };
    let found = join_all(candidates.iter().map(exists)).await;
    let Some(((resource_type, name), _)) = candidates.iter().zip(found).find(|(_, exists)| *exists) else {
        return Ok(());
    };
    let stack_option = "use another name with `--stack NAME`";
    let (kind, delete) = if resource_type == FUNCTION {
        ("function", Hint::shell(["aws", "lambda", "delete-function", "--function-name", name]))
    } else {
        ("log group", Hint::shell(["aws", "logs", "delete-log-group", "--log-group-name", name]))
    };
    let error = Error::new(format!("{kind} `{name}` already exists in {}, outside the stack", cx.region()));
    let error = match owner::stack_of(&cx.clients, resource_type, name).await.ok().flatten() {
        Some(stack) => error.cause(format!("it belongs to stack `{stack}`")).hint(stack_option),
        None => error.hint(stack_option).hint(delete.then(" deletes it, if nobody needs it")),
    };
    Err(error.exit(Exit::Refused))
}

const FUNCTION: &str = "AWS::Lambda::Function";
const LOG_GROUP: &str = "AWS::Logs::LogGroup";

/// Decides what a command does first with a stack.
pub fn first_step(stack: &Stack, command: Command) -> Result<FirstStep> {
    Condition::of(&stack.status).map(|condition| condition.first_step(command)).ok_or_else(|| {
        Error::new(format!(
            "stack `{}` has the status `{}`, which this version of provisioner does not know",
            stack.name, stack.status
        ))
        .exit(Exit::Blocked)
        .hint("install the latest version of provisioner")
    })
}

/// Returns the deployed stack for a command that writes to it: only a stack that this program created.
pub async fn deployed(cx: &Context) -> Result<Stack> {
    let stack = found(cx).await?;
    check_owner(cx, &stack).await?;
    Ok(stack)
}

/// Returns the deployed stack for a command that only reads: another tool may have deployed it from this program's template.
pub async fn readable(cx: &Context) -> Result<Stack> {
    let stack = found(cx).await?;
    check_readable(cx, &stack).await?;
    Ok(stack)
}

async fn found(cx: &Context) -> Result<Stack> {
    let found = stack::describe(&cx.clients.cloudformation, cx.stack()).await?;
    found.filter(|stack| !stack.outputs.is_empty()).ok_or_else(|| {
        Error::new(format!("stack `{}` is not deployed in {}", cx.stack(), cx.region()))
            .code(Code::NoStack)
            .hint(Hint::command("up").then(" deploys it"))
    })
}

/// Refuses to read a stack that has nothing to do with this program.
pub async fn check_readable(cx: &Context, stack: &Stack) -> Result<()> {
    // A stack in review has no template yet.
    if stack.is_ours() || stack.status == StackStatus::ReviewInProgress {
        return Ok(());
    }
    let body = stack::template(&cx.clients.cloudformation, &stack.id).await?;
    if template::read(&body).is_ok_and(|template| template.is_marked()) {
        return Ok(());
    }
    Err(Error::new(format!("stack `{}` was not created by provisioner, nor from its template", stack.name))
        .exit(Exit::Refused)
        .code(Code::ForeignStack)
        .hint("choose another name with `--stack NAME`"))
}

/// Warns about a prefix that hardly any key starts with.
pub fn check_key_prefix(cx: &Context, parameters: &BTreeMap<String, String>) {
    let Some(prefix) = parameters.get("KeyPrefix") else { return };
    if let Some(usual) = names::usual_key_prefix(prefix) {
        cx.events.emit(Event::UnusualKeyPrefix { prefix: prefix.clone(), usual });
    }
}

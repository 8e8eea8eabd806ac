//! What is looked at before anything is built or changed: the region, the caller, the stack, and names that are taken.

use crate::aws::stack::Stack;
use crate::aws::{bucket, change_set, identity, quotas, stack, table};
use crate::cli::Context;
use crate::core::event::Event;
use crate::core::regions;
use crate::error::{Error, Exit, Result};

/// What stands before a command begins.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The stack, if there is one.
    pub stack: Option<Stack>,
    /// Twelve digits.
    pub account: String,
    /// As `aws`.
    pub partition: String,
    /// Whether somebody else's operation on the stack was waited for.
    pub joined: bool,
}

/// Who says that the region has Rekognition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// This program and its template.
    BuiltIn,
    /// AWS alone.
    ByAwsOnly,
}

/// Checks that the region has Rekognition.
///
/// The built-in table answers at once for the regions that have it. For any other region, Service Quotas is asked, so a
/// region that gained Rekognition after this program was built works. The table decides only if AWS does not answer.
pub async fn check_region(cx: &Context) -> Result<Listed> {
    let name = cx.region();
    if regions::supports_rekognition(name) {
        cx.events.emit(Event::RegionChecked { rekognition: true, source: "the built-in table" });
        return Ok(Listed::BuiltIn);
    }
    let source = match quotas::detect_faces(&cx.clients, name).await {
        Ok(Some(_)) => {
            cx.events.emit(Event::RegionChecked { rekognition: true, source: "Service Quotas" });
            return Ok(Listed::ByAwsOnly);
        }
        Ok(None) => "Service Quotas",
        Err(_) => "the built-in region table",
    };
    let near = regions::nearest(name).join("`, `");
    let error = Error::new(format!("region `{name}` has no Amazon Rekognition"))
        .cause(format!("according to {source}"))
        .exit(Exit::Refused);
    Err(if near.is_empty() {
        error.hint("no region of this partition has it; `provisioner regions` lists those that do")
    } else {
        error.hint(format!("use `{near}`; `provisioner regions` lists all that have it"))
    })
}

/// Finds out who acts and what stands. The account comes with a stack's ARN; only without a stack is STS asked.
///
/// # Errors
/// No usable credentials, or a request fails.
pub async fn observe(cx: &Context) -> Result<Observed> {
    let found = stack::describe(&cx.clients.cloudformation, cx.stack()).await?;
    if let Some((stack, account)) = found.as_ref().and_then(|stack| Some((stack, stack.account()?.to_owned()))) {
        cx.events.emit(Event::Identity {
            account: account.clone(),
            arn: None,
            partition: stack.partition().to_owned(),
        });
        let partition = stack.partition().to_owned();
        return Ok(Observed { stack: found, account, partition, joined: false });
    }
    let caller = identity::caller(&cx.clients.sts).await?;
    cx.events.emit(Event::Identity {
        account: caller.account.clone(),
        arn: Some(caller.arn),
        partition: caller.partition.clone(),
    });
    Ok(Observed { stack: None, account: caller.account, partition: caller.partition, joined: false })
}

/// Refuses to touch a stack that another tool made, or is about to make.
///
/// # Errors
/// The stack is not ours.
pub async fn check_owner(cx: &Context, stack: &Stack) -> Result<()> {
    if stack.is_ours() {
        return Ok(());
    }
    let refused =
        |message: String| Err(Error::new(message).exit(Exit::Refused).hint("choose another name with `--stack NAME`"));
    if stack.status != "REVIEW_IN_PROGRESS" {
        return refused(format!("stack `{}` was not made by provisioner, so it is left alone", stack.name));
    }
    // An emulator keeps no tags of a stack that is only under review; whose it is then shows in its change sets.
    let foreign = change_set::foreign(&cx.clients.cloudformation, &stack.id).await?;
    if foreign.is_empty() {
        return Ok(());
    }
    refused(format!("somebody is about to create stack `{}`", stack.name))
        .map_err(|error: Error| error.cause(format!("change set {} awaits its execution", foreign.join(", "))))
}

/// Refuses to delete a protected stack.
///
/// # Errors
/// The stack has termination protection.
pub fn check_protection(cx: &Context, stack: &Stack) -> Result<()> {
    if !stack.protected {
        return Ok(());
    }
    Err(Error::new(format!("stack `{}` is protected against deletion", stack.name)).exit(Exit::Refused).hint(format!(
        "if that is meant to end: `aws cloudformation update-termination-protection --no-enable-termination-protection \
         --region {} --stack-name {}`",
        cx.region(),
        stack.name
    )))
}

/// Refuses to create what exists outside the stack, so that CloudFormation does not fail half-way.
///
/// # Errors
/// Table or bucket exist already.
pub async fn check_clashes(cx: &Context, table_name: &str, bucket_name: &str) -> Result<()> {
    let (table, bucket) =
        tokio::try_join!(table::exists(&cx.clients.dynamodb, table_name), bucket::exists(&cx.clients.s3, bucket_name))?;
    if table {
        return Err(Error::new(format!("table `{table_name}` exists in {} already, outside the stack", cx.region()))
            .exit(Exit::Refused)
            .hint("`--adopt`, added to `up`, takes it into the stack with its rows")
            .hint("or choose another name with `--parameter TableName=NAME`"));
    }
    if bucket {
        return Err(Error::new(format!("bucket `{bucket_name}` exists already, outside the stack"))
            .exit(Exit::Refused)
            .hint("`--adopt`, added to `up`, takes it into the stack with its pictures")
            .hint("or choose another stack name with `--stack NAME`"));
    }
    Ok(())
}

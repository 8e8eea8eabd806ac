//! Finds a table and a bucket outside the stack that `--adopt` can import.
//!
//! Invariant: their contents are not touched, and unsuitable ones are refused before anything is changed.

use crate::aws::bucket::{self, Bucket};
use crate::aws::stack::{self, Stack};
use crate::aws::table;
use crate::context::Context;
use crate::core::adopt::{self, Adoption, Existing};
use crate::core::event::Event;
use crate::core::first_step::FirstStep;
use crate::core::hint::Hint;
use crate::core::plan::{Action, Plan, Property};
use crate::core::template::Template;
use crate::error::{Error, Exit, Result};

/// The names that the template gives to the bucket and the table.
#[derive(Clone, Debug)]
pub struct Names {
    /// The bucket, and the account that must own it.
    pub bucket: Bucket,
    /// The table.
    pub table: String,
    /// Whether the template sets a bucket policy (`TlsOnly=yes`).
    pub sets_policy: bool,
}

/// Finds the resources that `--adopt` can import; `None` if there are none.
///
/// # Errors
/// A resource with one of the names exists but cannot be adopted, or a request fails.
pub async fn find(
    cx: &Context,
    template: &Template,
    names: &Names,
    stack: Option<&Stack>,
    step: FirstStep,
) -> Result<Option<Adoption>> {
    let inside = match stack.filter(|_| step != FirstStep::Create) {
        Some(stack) => stack::resources(&cx.clients.cloudformation, &stack.id).await?,
        None => Vec::new(),
    };
    let is_outside = |resource_type: &str| inside.iter().all(|resource| resource.resource_type != resource_type);
    let tables =
        async { if is_outside("AWS::DynamoDB::Table") { find_table(cx, &names.table).await } else { Ok(None) } };
    let buckets = async { if is_outside("AWS::S3::Bucket") { find_bucket(cx, names).await } else { Ok(None) } };
    let (found_table, found_bucket) = tokio::try_join!(tables, buckets)?;
    let existing: Vec<Existing> = found_table.into_iter().chain(found_bucket).collect();
    if existing.is_empty() {
        if inside.is_empty() {
            cx.events.emit(Event::NothingToAdopt { table: names.table.clone(), bucket: names.bucket.name.clone() });
        }
        return Ok(None);
    }
    if step == FirstStep::DeleteThenCreate {
        return Err(Error::new(format!(
            "the failed creation of stack `{}` must be deleted before anything can be adopted",
            cx.stack()
        ))
        .exit(Exit::Blocked)
        .hint(Hint::command("down --keep-data").then(", then ").then_command("up --adopt")));
    }
    adopt::adoption(template, &existing)
        .map(Some)
        .map_err(|error| Error::new("this template cannot adopt existing resources").because(&error).exit(Exit::Usage))
}

async fn find_table(cx: &Context, name: &str) -> Result<Option<Existing>> {
    let Some(found) = table::describe(&cx.clients.dynamodb, name).await? else { return Ok(None) };
    found.check().map_err(|reason| {
        Error::new(format!("table `{name}` cannot be adopted: {reason}"))
            .exit(Exit::Refused)
            .hint("choose another name with `--parameter TableName=NAME`; this table was not changed")
    })?;
    Ok(Some(Existing::Table { name: name.to_owned(), table: found }))
}

async fn find_bucket(cx: &Context, names: &Names) -> Result<Option<Existing>> {
    let name = &names.bucket.name;
    if !bucket::exists(&cx.clients.s3, name).await? {
        return Ok(None);
    }
    let conflicts = bucket::conflicts(&cx.clients.s3, &names.bucket, cx.region()).await?;
    if conflicts.policy && names.sets_policy {
        return Err(Error::new(format!("bucket `{name}` has a policy, which the template would replace"))
            .exit(Exit::Refused)
            .hint("add `--parameter TlsOnly=no` to keep the bucket's policy")
            .hint(Hint::from("or delete the policy with ").then_shell([
                "aws",
                "s3api",
                "delete-bucket-policy",
                "--bucket",
                name,
            ])));
    }
    let ours = format!(":function:{}", cx.stack());
    let others: Vec<String> = conflicts.notifies.into_iter().filter(|arn| !arn.ends_with(&ours)).collect();
    if !others.is_empty() {
        cx.events.emit(Event::NotificationReplaced { bucket: name.clone(), targets: others });
    }
    Ok(Some(Existing::Bucket { name: name.clone() }))
}

/// Adds to the plan the properties of imported resources that the second change set will change.
pub fn announce_later(plan: &mut Plan, adoption: &Adoption) {
    for (logical_id, later) in &adoption.later {
        for change in plan.changes.iter_mut().filter(|c| c.action == Action::Import && &c.logical_id == logical_id) {
            let property = |name: &String| Property {
                path: format!("/Properties/{name}"),
                before: None,
                after: None,
                recreates: false,
            };
            change.properties = later.iter().map(property).collect();
        }
    }
}

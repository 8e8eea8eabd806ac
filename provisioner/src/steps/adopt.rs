//! Finds the tables and buckets outside the stack that `--adopt` imports, and what adopting them changes.
//!
//! Invariant: nothing is changed before the user has seen and accepted all changes. What does not fit is refused.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::json;

use crate::aws::bucket::{self, Bucket};
use crate::aws::stack::{self, Resource};
use crate::aws::{bucket_settings, owner, table_settings};
use crate::context::Context;
use crate::core::adopt::{self, Adoption, BUCKET, Declared, Existing, Settings};
use crate::core::event::Event;
use crate::core::first_step::FirstStep;
use crate::core::hint::Hint;
use crate::core::plan::{Action, Effect, Plan};
use crate::core::render::Scope;
use crate::core::status::StackStatus;
use crate::core::template::Template;
use crate::error::{Error, Exit, Result};
use crate::steps::preflight::Observed;

/// What an adoption is decided from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The template to deploy.
    pub template: &'a Template,
    /// The parameters that the user sets.
    pub chosen: &'a [(String, String)],
    /// The state before the run.
    pub observed: &'a Observed,
    /// What is done with the stack first.
    pub step: FirstStep,
}

/// Looks for what `--adopt` imports, and gives the parameters that describe it the values that it has; `None` if the stack has all of it.
///
/// # Errors
/// There is nothing to adopt, something cannot be adopted, or a request fails.
pub async fn find(
    cx: &Context,
    inputs: Inputs<'_>,
    parameters: &mut BTreeMap<String, String>,
) -> Result<Option<Adoption>> {
    let Inputs { template, chosen, observed, step } = inputs;
    let inside = match observed.stack.as_ref().filter(|_| step != FirstStep::Create) {
        Some(stack) => {
            let all = stack::resources(&cx.clients.cloudformation, &stack.id).await?;
            all.into_iter().filter(|resource| stack.status.holds(&resource.status)).collect()
        }
        None => Vec::new(),
    };
    let target = observed.target(cx);
    let existing = existing(cx, &template.scope(parameters, target), &observed.account, &inside).await?;
    if existing.is_empty() {
        return Ok(None);
    }
    // A stack in review has no resources, and takes another change set.
    let in_review = observed.stack.as_ref().is_some_and(|stack| stack.status == StackStatus::ReviewInProgress);
    if step == FirstStep::DeleteThenCreate && !in_review {
        return Err(Error::new(format!(
            "the failed creation of stack `{}` must be deleted before anything can be adopted",
            cx.stack()
        ))
        .exit(Exit::Blocked)
        .hint(Hint::command("down --keep-data").then(", then ").then_command("up --adopt")));
    }
    let supplied = adopt::supplied(&existing, template, parameters, chosen);
    if !supplied.is_empty() {
        parameters.extend(supplied.clone());
        cx.events.emit(Event::ParametersAdopted { parameters: supplied });
    }
    Ok(Some(adopt::adoption(&template.scope(parameters, target), &existing)))
}

/// The tables and buckets of the template that exist outside the stack.
async fn existing(cx: &Context, scope: &Scope<'_>, account: &str, inside: &[Resource]) -> Result<Vec<Existing>> {
    let declared = adopt::declared(scope);
    let mut outside = Vec::new();
    for one in &declared {
        match inside.iter().find(|resource| resource.logical_id == one.logical_id) {
            None => outside.push(one),
            Some(held) if held.physical_id == one.name => {}
            Some(held) => {
                let (kind, name) = (one.kind(), &one.name);
                return Err(Error::new(format!(
                    "the stack already has {kind} `{}`, so it cannot adopt `{name}` in its place",
                    held.physical_id
                ))
                .exit(Exit::Refused)
                .hint("deploy another stack for it with `--stack NAME`"));
            }
        }
    }
    let found = try_join_all(outside.iter().map(|one| look(cx, scope, account, one))).await?;
    let found: Vec<Existing> = found.into_iter().flatten().collect();
    if found.is_empty() && !outside.is_empty() {
        let names: Vec<String> = outside.iter().map(|one| format!("{} `{}`", one.kind(), one.name)).collect();
        let none = match names.as_slice() {
            [one] => format!("{one} does not exist"),
            several => format!("neither {} exists", several.join(" nor ")),
        };
        return Err(Error::new(format!("there is nothing to adopt: {none}"))
            .exit(Exit::Refused)
            .hint("`--parameter TableName=NAME` and `--parameter BucketName=NAME` select a different table and bucket")
            .hint("without `--adopt`, they are created"));
    }
    Ok(found)
}

async fn look(cx: &Context, scope: &Scope<'_>, account: &str, one: &Declared) -> Result<Option<Existing>> {
    let settings = if one.resource_type == BUCKET {
        look_at_bucket(cx, scope, account, one).await?
    } else {
        look_at_table(cx, one).await?
    };
    let found =
        settings.map(|settings| Existing { logical_id: one.logical_id.clone(), name: one.name.clone(), settings });
    Ok(found)
}

async fn look_at_table(cx: &Context, one: &Declared) -> Result<Option<Settings>> {
    let name = &one.name;
    let Some(table) = table_settings::read(&cx.clients.dynamodb, name).await? else { return Ok(None) };
    check_free(cx, one).await?;
    if let Some(obstacle) = table.obstacle(&one.properties) {
        return Err(Error::new(format!("table `{name}` cannot be adopted: {obstacle}"))
            .exit(Exit::Refused)
            .hint("choose another name with `--parameter TableName=NAME`; this table was not changed"));
    }
    let days = match &table.time_to_live {
        Some(_) if one.logical_id == "Table" => table_settings::retention_days(&cx.clients.dynamodb, name).await,
        _ => None,
    };
    Ok(Some(Settings::Table(table, days)))
}

async fn look_at_bucket(cx: &Context, scope: &Scope<'_>, account: &str, one: &Declared) -> Result<Option<Settings>> {
    let bucket = Bucket::new(&one.name, account);
    if !bucket::exists(&cx.clients.s3, &bucket.name).await? {
        return Ok(None);
    }
    bucket::check(&cx.clients.s3, &bucket, cx.region()).await?;
    check_free(cx, one).await?;
    let (settings, access) = bucket_settings::read(&cx.clients.s3, &bucket).await?;
    if access.has_policy && sets_policy(scope, one) {
        return Err(Error::new(format!("bucket `{}` has a policy, which the template would replace", bucket.name))
            .exit(Exit::Refused)
            .hint("add `--parameter TlsOnly=no` to keep the bucket's policy")
            .hint(Hint::from("or delete the policy with ").then_shell([
                "aws",
                "s3api",
                "delete-bucket-policy",
                "--bucket",
                &bucket.name,
            ])));
    }
    Ok(Some(Settings::Bucket(Box::new(settings), access)))
}

/// Refuses a resource that another stack has.
async fn check_free(cx: &Context, one: &Declared) -> Result<()> {
    let Some(stack) = owner::stack_of(&cx.clients, &one.resource_type, &one.name).await? else { return Ok(()) };
    let (kind, parameter) = (one.kind(), one.parameter());
    Err(Error::new(format!("{kind} `{}` belongs to stack `{stack}`, so it cannot be adopted", one.name))
        .exit(Exit::Refused)
        .hint(format!("choose another {kind} with `--parameter {parameter}=NAME`")))
}

/// Whether the template would set the policy of this bucket. `CloudFormation` does not replace one.
fn sets_policy(scope: &Scope<'_>, one: &Declared) -> bool {
    let policies = scope.resources().into_iter().filter(|resource| resource.resource_type == "AWS::S3::BucketPolicy");
    let names = [json!({ "Ref": one.logical_id }), json!(one.name)];
    policies.into_iter().any(|policy| policy.properties.get("Bucket").is_some_and(|bucket| names.contains(bucket)))
}

/// Adds to the plan what the second change set changes in what the first one imports.
pub fn announce(plan: &mut Plan, adoption: &Adoption) {
    for (logical_id, changes) in &adoption.changes {
        let imported = |change: &&mut crate::core::plan::Change| {
            change.action == Action::Import && &change.logical_id == logical_id
        };
        for change in plan.changes.iter_mut().filter(imported) {
            change.properties.clone_from(changes);
        }
    }
}

/// Refuses a plan that takes something away from an adopted resource.
///
/// # Errors
/// It does, and that was not accepted.
pub fn check_accepted(plan: &Plan, accepted: bool) -> Result<()> {
    let lost: Vec<String> = plan
        .takes_away()
        .map(|(logical_id, property)| {
            let name = property.path.trim_start_matches("/Properties/");
            let before = property.before.as_deref().unwrap_or_default();
            match property.effect {
                Some(Effect::Removes) => format!("{logical_id}: {name} would be removed: {before}"),
                _ => format!("{logical_id}: {name} would be weakened: {before}"),
            }
        })
        .collect();
    if lost.is_empty() || accepted {
        return Ok(());
    }
    let error = Error::new("adopting these resources would weaken or remove settings that they have");
    Err(lost.into_iter().fold(error, Error::cause).exit(Exit::Refused).hint(
        "to accept this, add `--accept-changes` to `up`; to keep a setting, set its parameter or use `--template`",
    ))
}

/// Prepares imported resources for the second change set.
///
/// # Errors
/// Any failure of the requests.
pub async fn before_second_change_set(cx: &Context, adoption: &Adoption, account: &str) -> Result<()> {
    for name in &adoption.resets_acl_of {
        let bucket = Bucket::new(name, account);
        bucket_settings::reset_acl(&cx.clients.s3, &bucket).await?;
    }
    Ok(())
}

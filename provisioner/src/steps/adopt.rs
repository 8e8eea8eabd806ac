//! Takes a table and a bucket that exist outside the stack into it: found before the plan, imported by a first change set, brought
//! to the template's settings by a second.
//!
//! Invariant: nothing in them is touched. What does not fit is refused before anything is changed.

use crate::aws::bucket::{self, Bucket};
use crate::aws::change_set::{self, Mode};
use crate::aws::stack::{self, Stack};
use crate::aws::table;
use crate::cli::Context;
use crate::core::adopt::{self, Adoption, Existing};
use crate::core::event::Event;
use crate::core::plan::{Action, Operation, Plan, Property};
use crate::core::status::Move;
use crate::error::{Error, Exit, Result};
use crate::steps::apply;
use crate::steps::prepare::{self, Prepared};

/// Looks for what `--adopt` can take in; `None` where there is nothing.
///
/// # Errors
/// Something exists under the name and cannot be adopted, or a request fails.
pub async fn find(cx: &Context, prepared: &Prepared, step: Move) -> Result<Option<Adoption>> {
    let inside = match prepared.observed.stack.as_ref().filter(|_| step != Move::Create) {
        Some(stack) => stack::resources(&cx.clients.cloudformation, &stack.id).await?,
        None => Vec::new(),
    };
    let is_outside = |resource_type: &str| inside.iter().all(|resource| resource.resource_type != resource_type);
    let table = prepared.parameters.get("TableName").cloned().unwrap_or_default();
    let bucket = Bucket {
        name: prepare::bucket_name(&prepared.parameters, &prepared.observed.account, cx.region()),
        owner: prepared.observed.account.clone(),
    };
    let tables = async { if is_outside("AWS::DynamoDB::Table") { find_table(cx, &table).await } else { Ok(None) } };
    let buckets =
        async { if is_outside("AWS::S3::Bucket") { find_bucket(cx, prepared, &bucket).await } else { Ok(None) } };
    let (found_table, found_bucket) = tokio::try_join!(tables, buckets)?;
    let existing: Vec<Existing> = found_table.into_iter().chain(found_bucket).collect();
    if existing.is_empty() {
        if inside.is_empty() {
            cx.events.emit(Event::Warning {
                message: format!("there is nothing to adopt: no table `{table}` and no bucket `{}`", bucket.name),
                hint: Some("`--parameter TableName=NAME` and `--parameter BucketName=NAME` look for others".into()),
            });
        }
        return Ok(None);
    }
    if step == Move::DeleteThenCreate {
        return Err(Error::new(format!(
            "a failed creation of stack `{}` must go before anything is adopted",
            cx.stack()
        ))
        .exit(Exit::Blocked)
        .hint(format!("`{}`, then `{}`", cx.command("down --keep-data"), cx.command("up --adopt"))));
    }
    adopt::adoption(&prepared.template, &existing)
        .map(Some)
        .map_err(|error| Error::new("this template cannot adopt what exists").because(&error).exit(Exit::Usage))
}

async fn find_table(cx: &Context, name: &str) -> Result<Option<Existing>> {
    let Some(found) = table::describe(&cx.clients.dynamodb, name).await? else { return Ok(None) };
    found.check().map_err(|reason| {
        Error::new(format!("table `{name}` cannot be adopted: {reason}"))
            .exit(Exit::Refused)
            .hint("choose another name with `--parameter TableName=NAME`; this table stays as it is")
    })?;
    Ok(Some(Existing::Table { name: name.to_owned(), table: found }))
}

async fn find_bucket(cx: &Context, prepared: &Prepared, bucket: &Bucket) -> Result<Option<Existing>> {
    let name = &bucket.name;
    if !bucket::exists(&cx.clients.s3, name).await? {
        return Ok(None);
    }
    let ways = bucket::ways(&cx.clients.s3, bucket, cx.region()).await?;
    if ways.policy && prepared.parameters.get("TlsOnly").is_some_and(|value| value == "yes") {
        return Err(Error::new(format!("bucket `{name}` has a policy of its own, and the template would set another"))
            .exit(Exit::Refused)
            .hint("`--parameter TlsOnly=no` leaves the bucket's policy alone")
            .hint(format!("or remove it: `aws s3api delete-bucket-policy --bucket {name}`")));
    }
    let ours = format!(":function:{}", cx.stack());
    let others: Vec<String> = ways.notifies.into_iter().filter(|arn| !arn.ends_with(&ours)).collect();
    if !others.is_empty() {
        cx.events.emit(Event::Warning {
            message: format!(
                "bucket `{name}` notifies {}, and will notify the system's function instead",
                others.join(", ")
            ),
            hint: Some("put an EventBridge rule or an SNS topic between where both are needed".into()),
        });
    }
    Ok(Some(Existing::Bucket { name: name.clone() }))
}

/// Adds to the plan what the second change set will set on what the first one imports.
pub fn announce_later(prepared: &mut Prepared) {
    let Some(adoption) = &prepared.adoption else { return };
    for (logical_id, later) in &adoption.later {
        for change in
            prepared.plan.changes.iter_mut().filter(|c| c.action == Action::Import && &c.logical_id == logical_id)
        {
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

/// Brings what was imported to the template's settings, by the second change set.
///
/// # Errors
/// It would replace something, or it fails. What was imported stays in the stack in either case.
pub async fn complete(cx: &Context, prepared: &mut Prepared, imported: Stack) -> Result<Stack> {
    let request = change_set::Request {
        stack: cx.stack(),
        template: &prepared.template.body,
        parameters: &prepared.parameters,
        import_existing: false,
        create: false,
        mode: Mode::Standard,
    };
    let second = change_set::create(&cx.clients.cloudformation, &request).await?;
    if second.nothing {
        return Ok(imported);
    }
    let plan = Plan::new(Operation::Update, second.changes.clone());
    cx.events.emit(Event::Planned { plan: plan.clone() });
    if let Err(refused) = prepare::check_data_loss(&plan, false) {
        change_set::discard(&cx.clients.cloudformation, &second.id).await;
        return Err(refused.cause("the table or bucket is part of the stack now, and as it was"));
    }
    prepared.plan = plan;
    prepared.change_set = Some(second);
    apply::run(cx, prepared, async {}).await
}

//! Finds and deletes what an earlier run left of a deleted stack.

use crate::aws::bucket::{self, Bucket};
use crate::aws::deleted_stack::{self, Past};
use crate::aws::stack::{self, Resource, Stack};
use crate::aws::{packages, proof};
use crate::context::Context;
use crate::core::operation;
use crate::error::{Error, Result};
use crate::steps::clean::{self, Packages};
use crate::steps::data::Data;
use crate::steps::preflight::Observed;
use crate::steps::proof::{prove_gone, resource};

/// A deleted stack whose data an interrupted `down` did not delete.
#[derive(Debug)]
pub struct Unfinished {
    /// The stack, as its ARN still describes it.
    pub stack: Stack,
    /// Its resources.
    pub resources: Vec<Resource>,
}

/// Finds the stack that an interrupted `down` deleted, if its bucket or table still exists and was not to be kept.
///
/// Data that was kept on purpose, or left behind by a deletion outside this program, is only reported.
///
/// # Errors
/// A resource that CloudFormation could not delete, and therefore retained, still exists.
pub async fn unfinished(cx: &Context) -> Result<Option<Unfinished>> {
    let client = &cx.clients.cloudformation;
    let Some(id) = deleted_stack::last_deleted(client, cx.stack()).await? else { return Ok(None) };
    let (stack, past) = tokio::try_join!(stack::describe(client, &id), Past::of(client, &id))?;
    let Past { resources, deletion_token: token, .. } = past;
    let Some((stack, account)) = stack.filter(Stack::is_ours).and_then(|stack| {
        let account = stack.account()?.to_owned();
        Some((stack, account))
    }) else {
        return Ok(None);
    };
    let skipped: Vec<_> = resources.iter().filter(|resource| resource.status.is_skipped()).cloned().collect();
    let left = Data::of(&skipped, &account).existing(cx).await?;
    if !left.is_empty() && token.is_some_and(|token| operation::was_to_remove_data(&token)) {
        return Ok(Some(Unfinished { stack, resources }));
    }
    left.report_kept(cx).await?;
    for resource in skipped.iter().filter(|resource| !resource.is_data()) {
        if proof::is_gone(&cx.clients, resource).await? == Some(false) {
            let Resource { resource_type, physical_id, .. } = resource;
            return Err(Error::new(format!(
                "stack `{}` is gone, but its {resource_type} `{physical_id}` still exists",
                stack.name
            ))
            .cause("CloudFormation could not delete it; it is probably still in use")
            .hint("stop using the resource, then delete it with the AWS CLI or in the console"));
        }
    }
    Ok(None)
}

/// Deletes the packages of a stack that was never created, or that was deleted without them, and their bucket if nothing
/// is in it.
pub async fn forgotten_packages(cx: &Context, observed: &Observed) -> Result<()> {
    let bucket = packages::bucket(&observed.account, cx.region());
    let packages = packages::list(&cx.clients.s3, &bucket, &format!("{}/", cx.stack())).await?;
    let question = if !packages.is_empty() {
        format!("delete the packages of this stack from bucket {}?", bucket.name)
    } else if is_empty_bucket(cx, &bucket).await? {
        format!("delete the empty bucket {}?", bucket.name)
    } else {
        return Ok(());
    };
    cx.confirm(&question)?;
    match clean::packages(cx, &bucket).await {
        Packages::BucketGone => prove_gone(cx, observed, None, &[resource("AWS::S3::Bucket", &bucket.name)]).await?,
        Packages::BucketKept => {}
        Packages::Failed(error) => return Err(error),
    }
    Ok(())
}

/// Whether the bucket exists and has nothing in it.
async fn is_empty_bucket(cx: &Context, bucket: &Bucket) -> Result<bool> {
    let s3 = &cx.clients.s3;
    Ok(bucket::exists(s3, &bucket.name).await? && bucket::count(s3, bucket, 1).await? == 0)
}

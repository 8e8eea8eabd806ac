//! Deletes what is not in the stack: unexecuted change sets, unused packages, and data.

use crate::aws::bucket::{self, Bucket, Deleted};
use crate::aws::{change_set, packages, stack, table};
use crate::context::Context;
use crate::core::event::{Event, Kept};
use crate::core::plan::Operation;
use crate::error::{Error, Result};
use crate::steps::prepared::Prepared;

/// Deletes a change set that was only a preview, and the empty stack that a change set of type CREATE leaves behind.
pub async fn discard(cx: &Context, prepared: &Prepared) {
    let Some(change_set) = &prepared.change_set else { return };
    change_set::discard(&cx.clients.cloudformation, &change_set.id).await;
    if prepared.plan.operation == Operation::Create
        && let Ok(Some(review)) = stack::describe(&cx.clients.cloudformation, &change_set.stack_id).await
    {
        // If this fails, the next run finds the empty stack and deletes it.
        let _ = stack::delete(&cx.clients.cloudformation, &review, &stack::Deletion::default(), None).await;
    }
}

/// Deletes all packages of the stack except those in `keep`. A failure is only reported.
pub async fn old_packages(cx: &Context, bucket: &Bucket, keep: &[Option<String>]) {
    let prefix = format!("{}/", cx.stack());
    let removed = async {
        let all = packages::list(&cx.clients.s3, bucket, &prefix).await?;
        let old: Vec<String> = all
            .into_iter()
            .map(|package| package.key)
            .filter(|key| !keep.iter().flatten().any(|kept| kept == key))
            .collect();
        packages::remove(&cx.clients.s3, bucket, &old).await?;
        Ok::<usize, Error>(old.len())
    };
    match removed.await {
        Ok(0) => {}
        Ok(objects) => cx.events.emit(Event::PackagesRemoved { bucket: bucket.name.clone(), objects }),
        Err(error) => {
            cx.events.emit(Event::OldPackagesKept { bucket: bucket.name.clone(), cause: error.with_causes() });
        }
    }
}

/// The result of deleting a stack's packages.
#[derive(Debug)]
pub enum Packages {
    /// They and their bucket are deleted.
    BucketGone,
    /// They are deleted, but other stacks use the bucket.
    BucketKept,
    /// They could not be deleted.
    Failed(Error),
}

/// Deletes the stack's packages, and their bucket if no other stack uses it.
pub async fn packages(cx: &Context, bucket: &Bucket) -> Packages {
    match remove_packages(cx, bucket).await {
        Ok(Deleted::NotEmpty) => {
            cx.events.emit(Event::PackageBucketKept { bucket: bucket.name.clone() });
            Packages::BucketKept
        }
        Ok(Deleted::Now) => {
            cx.events.emit(Event::Removed { kind: Kept::PackageBucket, name: bucket.name.clone() });
            Packages::BucketGone
        }
        Ok(Deleted::Before) => Packages::BucketGone,
        Err(error) => Packages::Failed(error),
    }
}

async fn remove_packages(cx: &Context, bucket: &Bucket) -> Result<Deleted> {
    let client = &cx.clients.s3;
    let removed = bucket::empty(client, bucket, &format!("{}/", cx.stack()), |_| {}).await?;
    if removed > 0 {
        cx.events.emit(Event::PackagesRemoved { bucket: bucket.name.clone(), objects: removed });
    }
    // S3 refuses to delete a bucket with objects, so it decides whether other stacks use it.
    bucket::delete_if_empty(client, bucket).await
}

/// Deletes a bucket and its contents; `objects` is the approximate number of objects, if known.
pub async fn picture_bucket(cx: &Context, bucket: &Bucket, objects: Option<usize>) -> Result<()> {
    empty(cx, bucket, objects).await?;
    bucket::delete(&cx.clients.s3, bucket).await?;
    cx.events.emit(Event::Removed { kind: Kept::Bucket, name: bucket.name.clone() });
    Ok(())
}

/// Empties a bucket and reports the progress; `objects` is the approximate number of objects, if known.
pub async fn empty(cx: &Context, bucket: &Bucket, objects: Option<usize>) -> Result<usize> {
    bucket::empty(&cx.clients.s3, bucket, "", |removed| {
        cx.events.emit(Event::Emptying { bucket: bucket.name.clone(), removed, of: objects });
    })
    .await
}

/// Deletes the table with its rows.
pub async fn face_table(cx: &Context, name: &str) -> Result<()> {
    table::delete(&cx.clients.dynamodb, name).await?;
    cx.events.emit(Event::Removed { kind: Kept::Table, name: name.to_owned() });
    Ok(())
}

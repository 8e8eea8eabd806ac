//! Finds and deletes the resources that a failed creation left behind.
//!
//! Invariant: it is not documented whether CloudFormation keeps a bucket and a table after a failed creation, so this
//! is checked and never assumed.

use crate::aws::deleted_stack::{self, Past};
use crate::aws::stack::{self, Resource, Stack};
use crate::aws::{bucket, table};
use crate::context::Context;
use crate::core::operation;
use crate::error::Result;
use crate::steps::clean;
use crate::steps::data::Data;

/// The bucket and the table of a deleted stack that still exist.
pub async fn left_by(cx: &Context, stack_id: &str, account: &str) -> Result<Data> {
    let client = &cx.clients.cloudformation;
    let Past { resources, created, .. } = Past::of(client, stack_id).await?;
    let ours = |resource: &Resource| resource.status.is_skipped() && created.contains(&resource.physical_id);
    let resources: Vec<_> = resources.into_iter().filter(ours).collect();
    Data::of(&resources, account).existing(cx).await
}

/// The bucket and the table that the last creation of this stack left, if it failed and was started by this tool.
pub async fn find(cx: &Context) -> Result<Data> {
    let client = &cx.clients.cloudformation;
    let Some(id) = deleted_stack::last_deleted(client, cx.stack()).await? else { return Ok(Data::default()) };
    let (stack, past) = tokio::try_join!(stack::describe(client, &id), Past::of(client, &id))?;
    // A failed creation deletes the stack with its own token.
    let failed = past.deletion_token.is_some_and(|token| operation::was_creating(&token));
    match stack.filter(Stack::is_ours).filter(|_| failed).as_ref().and_then(Stack::account) {
        Some(account) => left_by(cx, &id, account).await,
        None => Ok(Data::default()),
    }
}

/// Whether the buckets and tables are empty.
pub async fn is_empty(cx: &Context, data: &Data) -> Result<bool> {
    for bucket in &data.buckets {
        if bucket::count(&cx.clients.s3, bucket, 1).await? > 0 {
            return Ok(false);
        }
    }
    for name in &data.tables {
        if table::count(&cx.clients.dynamodb, name, 1).await? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Deletes the buckets and tables.
pub async fn remove(cx: &Context, data: &Data) -> Result<()> {
    for bucket in &data.buckets {
        clean::picture_bucket(cx, bucket, Some(0)).await?;
    }
    for name in &data.tables {
        clean::face_table(cx, name).await?;
    }
    Ok(())
}

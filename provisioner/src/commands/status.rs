//! `provisioner status`

use crate::aws::bucket::{self, Bucket};
use crate::aws::{drift, queue, stack, table};
use crate::bootstrap;
use crate::context::Context;
use crate::core::event::{Event, STATUS_COUNTS, StatusReport};
use crate::core::first_step::Condition;
use crate::error::{Exit, Result};
use crate::steps::{attached_check, preflight};

/// Show the stack, its outputs, and what is in it; exits with 1 if it does not exist or is broken
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioner status --region eu-west-1\n  provisioner status --region eu-west-1 --drift"
)]
pub struct Status {
    /// Do not count pictures, rows, and messages
    #[arg(long)]
    pub no_counts: bool,
    /// Also show changes that were made outside CloudFormation; exits with 1 if there are any
    #[arg(long)]
    pub drift: bool,
}

/// Runs the command in one region.
pub async fn run(args: &Status, cx: &Context) -> Result<Exit> {
    let Some(stack) = stack::describe(&cx.clients.cloudformation, cx.stack()).await? else {
        cx.events.emit(Event::NoStack { stack: cx.stack().to_owned() });
        return Ok(Exit::Failed);
    };
    preflight::check_readable(cx, &stack).await?;
    let bucket = stack.outputs.get("BucketName").zip(stack.account()).map(|(name, owner)| Bucket::new(name, owner));
    let objects = async {
        match bucket.as_ref().filter(|_| !args.no_counts) {
            Some(bucket) => bucket::count(&cx.clients.s3, bucket, STATUS_COUNTS).await.map(Some),
            None => Ok(None),
        }
    };
    let rows = async {
        match stack.outputs.get("TableName").filter(|_| !args.no_counts) {
            Some(name) => table::count(&cx.clients.dynamodb, name, STATUS_COUNTS).await.map(Some),
            None => Ok(None),
        }
    };
    let attached = async {
        let buckets = attached_check::buckets(&cx.clients, &stack).await?;
        Ok(attached_check::states(&cx.clients, &buckets, stack.account().unwrap_or_default()).await)
    };
    let messages = async |output: &str| match stack.outputs.get(output).filter(|_| !args.no_counts) {
        Some(url) => queue::counts(&cx.clients.sqs, url).await.map(|counts| Some(counts.total())),
        None => Ok(None),
    };
    let (objects, rows, attached, waiting, failed) =
        tokio::try_join!(objects, rows, attached, messages("BackfillQueueUrl"), messages("FailureQueueUrl"))?;
    let receives = attached.iter().all(|bucket| bucket.sends_events != Some(false));
    let deployed_sha256 = stack
        .parameters
        .get("CodeKey")
        .and_then(|key| key.rsplit('/').next())
        .map(|name| name.trim_end_matches(".zip").to_owned());
    let healthy = Condition::of(&stack.status) == Some(Condition::Ready);
    cx.events.emit(Event::Status {
        report: Box::new(StatusReport {
            stack: stack.name.clone(),
            region: cx.region().to_owned(),
            status: stack.status.clone(),
            ready: healthy,
            changed_at: stack.changed_at,
            outputs: stack.outputs.clone(),
            parameters: stack.parameters.clone(),
            deployed_sha256,
            embedded_sha256: stack
                .parameters
                .get("Architecture")
                .and_then(|architecture| bootstrap::embedded_sha256(architecture)),
            objects,
            rows,
            attached,
            waiting,
            failed,
        }),
    });
    let drifted = args.drift && has_drifted(cx, &stack.id).await?;
    Ok(if healthy && receives && !drifted { Exit::Success } else { Exit::Failed })
}

async fn has_drifted(cx: &Context, stack_id: &str) -> Result<bool> {
    let Some(drift) = drift::detect(&cx.clients.cloudformation, stack_id).await? else {
        cx.events.emit(Event::DriftUnknown);
        return Ok(false);
    };
    let drifted = !drift.drifted.is_empty();
    cx.events.emit(Event::Drift { stack: cx.stack().to_owned(), drifted: drift.drifted, unchecked: drift.unchecked });
    Ok(drifted)
}

//! Checks that the uploads to attached buckets reach the function, without writing anything.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::aws::bucket::Bucket;
use crate::aws::stack::{self, Stack};
use crate::aws::{Clients, event_flag, event_rules, function};
use crate::clock;
use crate::context::Context;
use crate::core::attach::Attachment;
use crate::core::attach::template::{attachments, rule_id};
use crate::core::event::{AttachedBucket, Event};
use crate::core::hint::Hint;
use crate::core::template;
use crate::error::{Error, Result};

/// The buckets that a stack attaches.
pub async fn buckets(clients: &Clients, stack: &Stack) -> Result<Vec<Attachment>> {
    let body = stack::template(&clients.cloudformation, &stack.id).await?;
    Ok(template::read(&body).map(|template| attachments(&template)).unwrap_or_default())
}

/// The attached buckets and whether they send their events, as far as that can be found out.
pub async fn states(clients: &Clients, attachments: &[Attachment], account: &str) -> Vec<AttachedBucket> {
    let state = async |attachment: &Attachment| {
        let bucket = Bucket::new(&attachment.bucket, account);
        AttachedBucket {
            locations: attachment.locations().iter().map(ToString::to_string).collect(),
            sends_events: event_flag::is_on(&clients.s3, &bucket).await.ok(),
        }
    };
    futures_util::future::join_all(attachments.iter().map(state)).await
}

/// Checks each bucket's flag, rule, target, and permission, and whether the rule's pattern matches an upload.
///
/// # Errors
/// Something is missing or differs from what was deployed, or a request fails.
pub async fn check(cx: &Context, stack: &Stack, attachments: &[Attachment]) -> Result<()> {
    if attachments.is_empty() {
        return Ok(());
    }
    let function_arn = stack.output("FunctionArn")?;
    let account = stack.account().unwrap_or_default();
    let (resources, permitted) = tokio::try_join!(
        stack::resources(&cx.clients.cloudformation, &stack.id),
        function::permitted_rules(&cx.clients.lambda, stack.output("FunctionName")?)
    )?;
    let check = async |attachment: &Attachment| {
        let name = &attachment.bucket;
        let bucket = Bucket::new(name, account);
        let broken = |cause: String| {
            Error::new(format!("uploads to attached bucket `{name}` do not reach the function"))
                .cause(cause)
                .hint(Hint::command("up").then(" repairs it"))
        };
        if !event_flag::is_on(&cx.clients.s3, &bucket).await? {
            return Err(broken("somebody has switched off that the bucket sends its events to EventBridge".to_owned()));
        }
        let id = rule_id(name);
        let physical = resources.iter().find(|resource| resource.logical_id == id).map(|found| &found.physical_id);
        let physical = physical.ok_or_else(|| broken(format!("the stack has no rule `{id}`")))?;
        let rule = event_rules::describe(&cx.clients.events, physical).await?;
        let rule = rule.ok_or_else(|| broken(format!("rule `{physical}` does not exist")))?;
        if !rule.enabled {
            return Err(broken(format!("rule `{physical}` is disabled")));
        }
        if !event_rules::targets(&cx.clients.events, physical).await?.iter().any(|target| target == function_arn) {
            return Err(broken(format!("rule `{physical}` has another target than the function")));
        }
        if !permitted.contains(&rule.arn) {
            return Err(broken(format!("rule `{physical}` may not invoke the function")));
        }
        let pattern = rule.pattern.unwrap_or_default();
        for prefix in &attachment.prefixes {
            let upload = upload(cx.region(), account, stack.partition(), name, prefix);
            if !event_rules::matches(&cx.clients.events, &pattern, &upload).await? {
                return Err(broken(format!("rule `{physical}` does not match an upload below `{prefix}`")));
            }
        }
        Ok(())
    };
    try_join_all(attachments.iter().map(check)).await.map(|_| ())
}

/// The time that S3 may need until a bucket sends its events, according to its user guide, in milliseconds.
const SETTLING_MILLIS: i64 = 300_000;

/// Waits until the buckets send their events: a picture that is uploaded before is found by listing the bucket afterwards.
///
/// The time counts from the last change of a bucket's rule, since the flag is switched on right after it.
pub async fn until_events(cx: &Context, stack: &Stack, buckets: &[String]) -> Result<()> {
    let rules: Vec<String> = buckets.iter().map(|bucket| rule_id(bucket)).collect();
    let resources = stack::resources(&cx.clients.cloudformation, &stack.id).await?;
    let changed = resources.iter().filter(|resource| rules.contains(&resource.logical_id)).map(|rule| rule.changed_at);
    let settled = changed.max().unwrap_or_default() + SETTLING_MILLIS;
    // Emulators need no time.
    let Ok(left @ 1..) = u64::try_from(settled - clock::now_millis()) else { return Ok(()) };
    if cx.clients.custom_endpoint {
        return Ok(());
    }
    cx.events.emit(Event::WaitingForEvents { seconds: left.div_ceil(1_000) });
    tokio::time::sleep(Duration::from_millis(left)).await;
    Ok(())
}

/// An event as S3 sends it for an upload.
fn upload(region: &str, account: &str, partition: &str, bucket: &str, prefix: &str) -> String {
    serde_json::json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": account,
        "time": "2026-11-26T00:00:00Z",
        "region": region,
        "resources": [format!("arn:{partition}:s3:::{bucket}")],
        "detail": {
            "version": "0",
            "bucket": { "name": bucket },
            "object": { "key": format!("{prefix}picture.jpg"), "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184" },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": account,
            "reason": "PutObject",
        },
    })
    .to_string()
}

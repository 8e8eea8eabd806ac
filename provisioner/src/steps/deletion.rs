//! Deletes a stack in up to four attempts: unchanged, with its bucket emptied, retaining resources that cannot be
//! deleted, and by force.

use crate::aws::bucket::Bucket;
use crate::aws::stack::{Deletion, Stack};
use crate::context::Context;
use crate::core::first_step::FirstStep;
use crate::core::hint::Hint;
use crate::core::status::ResourceStatus;
use crate::error::{Error, Exit, Result};
use crate::steps::clean::{self, Packages};
use crate::steps::data::Data;
use crate::steps::operation;

/// What to delete with the stack, and what to keep.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The data of the stack.
    pub data: &'a Data,
    /// The number of objects in its bucket, if they could be counted.
    pub objects: Option<usize>,
    /// Whether the bucket and the table outlive the stack.
    pub keeps_data: bool,
    /// The bucket for packages.
    pub packages: &'a Bucket,
    /// The service role to use, instead of the one that the stack remembers.
    pub role: Option<&'a String>,
}

/// The attempts, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    AsItIs,
    Emptied,
    Retaining,
    Forced,
}

/// Deletes the stack, and its packages once CloudFormation has accepted the first deletion: if the deletion is refused,
/// the stack needs its package for the next rollback. Returns the result for the packages.
pub async fn delete(cx: &Context, stack: &Stack, first: FirstStep, plan: Plan<'_>) -> Result<Packages> {
    let attempts = [Attempt::AsItIs, Attempt::Emptied, Attempt::Retaining, Attempt::Forced];
    // If a deletion has failed before, the first attempt would fail again.
    let start = usize::from(first == FirstStep::DeleteHarder);
    let (mut retain, mut packages) = (Vec::new(), None);
    for attempt in &attempts[start..] {
        if *attempt == Attempt::Emptied && !plan.keeps_data {
            for bucket in &plan.data.buckets {
                clean::empty(cx, bucket, plan.objects).await?;
            }
        }
        if *attempt == Attempt::Retaining && retain.is_empty() {
            continue;
        }
        let mut deletion = Deletion { keeps_data: plan.keeps_data, role: plan.role.cloned(), ..Deletion::default() };
        match attempt {
            Attempt::AsItIs | Attempt::Emptied => {}
            Attempt::Retaining => deletion.retain.clone_from(&retain),
            Attempt::Forced => deletion.force = true,
        }
        let deleting = operation::begin_deletion(cx, stack, &deletion).await?;
        let (followed, removed) = tokio::join!(deleting.follow(cx), async {
            match packages.take() {
                Some(removed) => removed,
                None => clean::packages(cx, plan.packages).await,
            }
        });
        let ended = followed?.ended;
        if ended.status.is_deleted() {
            return Ok(removed);
        }
        packages = Some(removed);
        let stuck = ended.events.iter().filter(|e| e.status == ResourceStatus::DeleteFailed && !e.is_of_stack());
        retain = stuck.map(|event| event.logical_id.clone()).collect();
        retain.sort();
        retain.dedup();
        operation::explain(cx, &ended, &stack.id).await;
    }
    Err(Error::new(format!("stack `{}` cannot be deleted, because of {}", stack.name, retain.join(", ")))
        .exit(Exit::Blocked)
        .hint(Hint::from("fix the errors shown above, then run ").then_command("down").then(" again")))
}

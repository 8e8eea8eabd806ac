//! The buckets whose pictures a system processes: its own, and those that are attached.

use crate::aws::bucket::Bucket;
use crate::aws::stack::Stack;
use crate::context::Context;
use crate::core::attach::Location;
use crate::core::location::{self, Source};
use crate::error::{Error, Exit, Result};
use crate::steps::attached_check;

/// The buckets of a stack, with the prefixes of the keys that the function processes.
pub async fn of(cx: &Context, stack: &Stack) -> Result<Vec<Source>> {
    let prefix = stack.parameters.get("KeyPrefix").cloned().unwrap_or_default();
    let mut sources = vec![Source { bucket: stack.output("BucketName")?.to_owned(), prefixes: vec![prefix] }];
    let attached = attached_check::buckets(&cx.clients, stack).await?.into_iter();
    sources.extend(attached.map(|one| Source { bucket: one.bucket, prefixes: one.prefixes }));
    Ok(sources)
}

/// The parts of a stack's buckets that the locations mean: all of them if there are no locations.
pub async fn narrow(cx: &Context, stack: &Stack, locations: &[Location]) -> Result<Vec<Location>> {
    let sources = of(cx, stack).await?;
    location::narrow(locations, &sources).map_err(|foreign| {
        let parts = location::narrow(&[], &sources).unwrap_or_default();
        let parts: Vec<String> = parts.iter().map(|part| format!("`{part}`")).collect();
        Error::new(foreign.to_string())
            .exit(Exit::Usage)
            .hint(format!("this system processes the pictures below {}", parts.join(", ")))
    })
}

/// The bucket of a location. All buckets of a system are in the account of its stack.
pub fn bucket(stack: &Stack, location: &Location) -> Result<Bucket> {
    let owner =
        stack.account().ok_or_else(|| Error::new(format!("the ARN `{}` does not name an account", stack.id)))?;
    Ok(Bucket::new(&location.bucket, owner))
}

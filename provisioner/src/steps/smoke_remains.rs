//! Deletes the pictures and rows that interrupted smoke tests left behind.
//!
//! Invariant: rows are deleted before their picture, because their keys are computed from the picture.

use std::collections::BTreeSet;

use crate::aws::versions;
use crate::clock;
use crate::context::Context;
use crate::core::event::Event;
use crate::core::smoke::{TEST_PREFIX, is_abandoned};
use crate::error::Result;
use crate::steps::picture::{self, Deployment};

/// Deletes the pictures and rows of smoke tests that cannot still be running.
pub async fn remove(cx: &Context, deployment: &Deployment) -> Result<()> {
    let prefix = format!("{}{TEST_PREFIX}", deployment.key_prefix);
    let now = clock::now_millis();
    let versions = versions::list(&cx.clients.s3, &deployment.bucket, &prefix).await?;
    let abandoned: Vec<_> = versions
        .into_iter()
        .filter(|version| version.key.strip_prefix(&prefix).is_some_and(|rest| is_abandoned(rest, now)))
        .collect();
    let mut keys = BTreeSet::new();
    for version in abandoned {
        picture::remove_rows(cx, deployment, &deployment.picture(version.key.clone(), version.version, version.etag))
            .await?;
        keys.insert(version.key);
    }
    for key in &keys {
        picture::remove_objects(cx, deployment, key).await?;
    }
    if !keys.is_empty() {
        cx.events.emit(Event::SmokeRemainsRemoved { bucket: deployment.bucket.name.clone(), pictures: keys.len() });
    }
    Ok(())
}

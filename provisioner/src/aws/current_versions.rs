//! Lists the current versions of the objects in a bucket, page by page.
//!
//! Invariant: an object has a version id only if the bucket has ever been versioned, as in S3's own notifications.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ObjectVersion, ObjectVersionStorageClass};
use tokio::sync::mpsc::Sender;

use super::error::explain;
use super::owned_bucket::Bucket;
use super::versions::{Versions, decoded};
use crate::core::backfill::Object;
use crate::error::Result;

/// Sends the current versions of all objects with a prefix, a page at a time. Ends early if the receiver was dropped.
///
/// # Errors
/// There is no such bucket, or a request fails.
pub async fn list(client: &Client, bucket: &Bucket, prefix: &str, to: Sender<Vec<Object>>) -> Result<()> {
    let is_versioned = was_versioned(client, bucket).await?;
    let mut pages = Versions::of(client, bucket, prefix);
    while let Some(reply) = pages.reply().await? {
        let encoding = reply.encoding_type();
        let current = reply.versions().iter().filter(|version| version.is_latest() == Some(true));
        let objects = current
            .filter_map(|version| Some(object(bucket, decoded(version.key()?, encoding), version, is_versioned)));
        if to.send(objects.collect()).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn object(bucket: &Bucket, key: String, version: &ObjectVersion, is_versioned: bool) -> Object {
    Object {
        bucket: bucket.name.clone(),
        key,
        version: version.version_id().filter(|_| is_versioned).map(ToOwned::to_owned),
        etag: version.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        size: version.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        modified: version.last_modified().map(aws_sdk_s3::primitives::DateTime::secs).unwrap_or_default(),
        // The SDK's type for this list has only one storage class, but S3 sends all of them.
        is_archived: matches!(
            version.storage_class().map(ObjectVersionStorageClass::as_str),
            Some("GLACIER" | "DEEP_ARCHIVE")
        ),
    }
}

/// Whether the bucket keeps versions or once did.
async fn was_versioned(client: &Client, bucket: &Bucket) -> Result<bool> {
    let reply = client.get_bucket_versioning().bucket(&bucket.name).expected_bucket_owner(&bucket.owner).send().await;
    let reply =
        reply.map_err(|error| explain(format!("cannot list the objects in bucket `{}`", bucket.name), &error))?;
    Ok(reply.status().is_some())
}

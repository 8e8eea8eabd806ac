//! Object lock: the versions that S3 does not delete yet.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ObjectIdentifier, ObjectLockEnabled, ObjectLockLegalHoldStatus};
use aws_smithy_types::date_time::Format;
use futures_util::stream::{self, StreamExt as _};

use super::bucket::Bucket;
use super::error::explain;
use super::versions::Versions;
use crate::clock;
use crate::error::Result;

/// The number of versions whose locks are read at the same time.
const PARALLEL_LOOKS: usize = 32;

/// A version that S3 does not delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: Option<String>,
    /// Until when, in words.
    pub until: String,
}

/// The first locked version that is found; `None` if there is none, or if the caller may not ask.
///
/// # Errors
/// S3 does not answer, or the bucket cannot be listed.
pub async fn first_locked(client: &Client, bucket: &Bucket) -> Result<Option<Locked>> {
    let request = client.get_object_lock_configuration().bucket(&bucket.name).expected_bucket_owner(&bucket.owner);
    let has_locks = match request.send().await {
        Ok(reply) => reply
            .object_lock_configuration
            .is_some_and(|configuration| configuration.object_lock_enabled == Some(ObjectLockEnabled::Enabled)),
        // Usually that the bucket has no locks.
        Err(error) if error.as_service_error().is_some() => false,
        Err(error) => return Err(explain(format!("cannot read the object lock of bucket `{}`", bucket.name), &error)),
    };
    if !has_locks {
        return Ok(None);
    }
    let mut pages = Versions::of(client, bucket, "");
    while let Some(page) = pages.next().await? {
        let looks = page.into_iter().map(|object| lock(client, bucket, object));
        let mut looks = stream::iter(looks).buffer_unordered(PARALLEL_LOOKS);
        while let Some(found) = looks.next().await {
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// The lock of one version. A version without one answers with an error, and so does a delete marker.
async fn lock(client: &Client, bucket: &Bucket, object: ObjectIdentifier) -> Option<Locked> {
    let ObjectIdentifier { key, version_id: version, .. } = object;
    let retention = client.get_object_retention().bucket(&bucket.name).key(&key).set_version_id(version.clone());
    let hold = client.get_object_legal_hold().bucket(&bucket.name).key(&key).set_version_id(version.clone());
    let (retention, hold) = tokio::join!(retention.send(), hold.send());
    let now = i64::try_from(clock::now().as_secs()).unwrap_or(i64::MAX);
    let until = retention.ok().and_then(|reply| reply.retention?.retain_until_date).filter(|until| until.secs() > now);
    let held = hold.ok().and_then(|reply| reply.legal_hold?.status) == Some(ObjectLockLegalHoldStatus::On);
    let until = match until {
        _ if held => "until its legal hold is removed".to_owned(),
        Some(until) => format!("until {}", until.fmt(Format::DateTime).unwrap_or_default()),
        None => return None,
    };
    Some(Locked { key, version, until })
}

//! Objects in a bucket: put, count, remove, down to the last version, delete marker and unfinished upload.
//!
//! Invariant: every call says whose bucket it expects, so that a name taken over by somebody else is an error, never a leak.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::operation::list_object_versions::builders::ListObjectVersionsFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    Delete, Error as Refused, LambdaFunctionConfiguration, ObjectIdentifier, QueueConfiguration, TopicConfiguration,
};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::error::{code, explain, is_missing};
use super::pace::Pace;
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};

/// A bucket of an account.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The account that must own it.
    pub owner: String,
}

/// An object that was stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The eTag without quotes.
    pub etag: String,
    /// The version on a versioned bucket.
    pub version: Option<String>,
}

/// So many delete requests (of 1,000 keys each) are under way at once.
const PARALLEL_DELETES: usize = 16;

/// Whether the bucket exists (in whoever's hands).
pub async fn exists(client: &Client, name: &str) -> Result<bool> {
    match client.head_bucket().bucket(name).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(HeadBucketError::is_not_found) || is_missing(&error) => {
            Ok(false)
        }
        // Somebody's bucket that this caller may not see, or one in another region.
        Err(error) if error.raw_response().is_some_and(|r| matches!(r.status().as_u16(), 301 | 403)) => Ok(true),
        Err(error) => Err(explain(format!("cannot ask for bucket `{name}`"), &error)),
    }
}

/// What a bucket outside the stack brings with it.
#[derive(Clone, Debug, Default)]
pub struct BucketConflicts {
    /// It has a policy of its own.
    pub policy: bool,
    /// The ARNs of what its notification calls.
    pub notifies: Vec<String>,
}

/// Asks an existing bucket for what a stack would take the place of.
///
/// # Errors
/// It belongs to somebody else, lies in another region, or any failure of the requests.
pub async fn conflicts(client: &Client, bucket: &Bucket, region: &str) -> Result<BucketConflicts> {
    let name = &bucket.name;
    let attempt = || format!("cannot look at bucket `{name}`");
    match client.head_bucket().bucket(name).expected_bucket_owner(&bucket.owner).send().await {
        Ok(reply) => {
            if let Some(other) = reply.bucket_region().filter(|other| *other != region) {
                return Err(Error::new(format!("bucket `{name}` is in {other}, and the system in {region}"))
                    .exit(Exit::Refused)
                    .hint(format!("put the system into that region with `--region {other}`")));
            }
        }
        // HEAD errors have no body: 403 is another account, or a permission that is missing.
        Err(error) if error.raw_response().is_some_and(|reply| reply.status().as_u16() == 403) => {
            return Err(Error::new(format!("bucket `{name}` does not belong to account {}", bucket.owner))
                .cause("or these credentials may not see it (s3:ListBucket)")
                .exit(Exit::Refused)
                .hint("choose another name with `--parameter BucketName=NAME`"));
        }
        Err(error) => return Err(explain(attempt(), &error)),
    }
    let policy = client.get_bucket_policy().bucket(name).expected_bucket_owner(&bucket.owner).send().await;
    let policy = match policy {
        Ok(reply) => reply.policy.is_some(),
        Err(error) if is_missing(&error) || code(&error) == Some("NoSuchBucketPolicy") => false,
        Err(error) => return Err(explain(attempt(), &error)),
    };
    let reply = client
        .get_bucket_notification_configuration()
        .bucket(name)
        .expected_bucket_owner(&bucket.owner)
        .send()
        .await
        .map_err(|error| explain(attempt(), &error))?;
    let functions = reply.lambda_function_configurations().iter().map(LambdaFunctionConfiguration::lambda_function_arn);
    let queues = reply.queue_configurations().iter().map(QueueConfiguration::queue_arn);
    let topics = reply.topic_configurations().iter().map(TopicConfiguration::topic_arn);
    Ok(BucketConflicts { policy, notifies: functions.chain(queues).chain(topics).map(ToOwned::to_owned).collect() })
}

/// Stores an object.
pub async fn put(client: &Client, bucket: &Bucket, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<Stored> {
    let reply = client
        .put_object()
        .bucket(&bucket.name)
        .key(key)
        .expected_bucket_owner(&bucket.owner)
        .content_type(content_type)
        .body(ByteStream::from(bytes))
        .send()
        .await
        .map_err(|error| explain(format!("cannot upload `{key}` to bucket `{}`", bucket.name), &error))?;
    Ok(Stored {
        etag: reply.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
        version: reply.version_id.filter(|version| version != "null"),
    })
}

/// What came of reading an object.
#[derive(Debug)]
pub enum Read {
    /// Its bytes.
    Bytes(Bytes),
    /// There is no such bucket, key or version.
    Missing,
    /// The caller may not read it.
    Denied,
    /// It is larger than the caller wants.
    TooLarge,
}

/// Reads an object whole, unless it has more bytes than `limit`.
///
/// # Errors
/// The connection fails, or the service answers with anything else.
pub async fn read(client: &Client, bucket: &str, key: &str, version: Option<String>, limit: u64) -> Result<Read> {
    let attempt = || format!("cannot read `{key}` from bucket `{bucket}`");
    let reply = match client.get_object().bucket(bucket).key(key).set_version_id(version).send().await {
        Ok(reply) => reply,
        Err(error) if is_missing(&error) => return Ok(Read::Missing),
        Err(error) if code(&error) == Some("AccessDenied") => return Ok(Read::Denied),
        Err(error) => return Err(explain(attempt(), &error)),
    };
    if reply.content_length.is_some_and(|length| u64::try_from(length).is_ok_and(|length| length > limit)) {
        return Ok(Read::TooLarge);
    }
    let body = reply.body.collect().await.map_err(|error| Error::new(attempt()).because(&error))?;
    Ok(Read::Bytes(body.into_bytes()))
}

/// Counts what is in a bucket, versions and delete markers included, up to a limit.
///
/// # Errors
/// Any failure of the request but a bucket that is not there, which holds nothing.
pub async fn count(client: &Client, bucket: &Bucket, limit: usize) -> Result<usize> {
    let mut pages = Versions::of(client, bucket, "");
    let mut count = 0;
    while let Some(page) = pages.next().await? {
        count += page.len();
        if count >= limit {
            break;
        }
    }
    Ok(count.min(limit))
}

/// Removes everything under a prefix (everything at all with an empty one): versions, delete markers, unfinished uploads.
///
/// Says after each batch how many are gone. Returns the number of versions and markers removed.
///
/// # Errors
/// A request fails, or an object may not be deleted (an object lock, a denied permission): the first is named.
pub async fn empty(client: &Client, bucket: &Bucket, prefix: &str, progress: impl FnMut(usize)) -> Result<usize> {
    let removed = remove(client, bucket, prefix, progress).await?;
    abort_uploads(client, bucket, prefix).await?;
    Ok(removed)
}

/// Removes every version and delete marker under a prefix; what [`empty`] does, but for unfinished uploads.
pub async fn remove(client: &Client, bucket: &Bucket, prefix: &str, mut progress: impl FnMut(usize)) -> Result<usize> {
    let mut pages = Versions::of(client, bucket, prefix);
    let mut removed = 0;
    let mut running = JoinSet::new();
    while let Some(page) = pages.next().await? {
        if page.is_empty() {
            continue;
        }
        if running.len() >= PARALLEL_DELETES
            && let Some(done) = running.join_next().await
        {
            removed += finished(done)?;
            progress(removed);
        }
        running.spawn(delete_batch(client.clone(), bucket.clone(), page));
    }
    while let Some(done) = running.join_next().await {
        removed += finished(done)?;
        progress(removed);
    }
    Ok(removed)
}

fn finished(done: std::result::Result<Result<usize>, tokio::task::JoinError>) -> Result<usize> {
    done.map_err(|error| Error::new("a deletion was interrupted").because(&error))?
}

/// A key that S3 could not delete just now is asked for so often.
const ATTEMPTS: usize = 5;

pub(super) async fn delete_batch(client: Client, bucket: Bucket, mut objects: Vec<ObjectIdentifier>) -> Result<usize> {
    let count = objects.len();
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(3));
    for attempt in 1.. {
        let delete = Delete::builder()
            .set_objects(Some(objects))
            .quiet(true)
            .build()
            .map_err(|error| Error::new("cannot name the objects to delete").because(&error))?;
        let reply = client
            .delete_objects()
            .bucket(&bucket.name)
            .expected_bucket_owner(&bucket.owner)
            .delete(delete)
            .send()
            .await
            .map_err(|error| explain(format!("cannot empty bucket `{}`", bucket.name), &error))?;
        let passing = |error: &&Refused| {
            matches!(error.code(), Some("InternalError" | "SlowDown" | "ServiceUnavailable" | "OperationAborted"))
        };
        if let Some(refused) = reply.errors().iter().find(|error| !passing(error) || attempt == ATTEMPTS) {
            return Err(refusal(&bucket, refused));
        }
        let again = reply.errors().iter().filter_map(|error| {
            ObjectIdentifier::builder().key(error.key()?).set_version_id(error.version_id.clone()).build().ok()
        });
        objects = again.collect();
        if objects.is_empty() {
            break;
        }
        pace.wait().await;
    }
    Ok(count)
}

/// Why S3 keeps one object, and what can be done.
fn refusal(bucket: &Bucket, refused: &Refused) -> Error {
    let (key, name) = (refused.key().unwrap_or("?"), &bucket.name);
    let message = refused.message().unwrap_or("no message");
    let error = Error::new(format!("cannot delete `{key}` from bucket `{name}`"))
        .cause(format!("{}: {message}", refused.code().unwrap_or("Unknown")));
    let lower = message.to_ascii_lowercase();
    if lower.contains("object lock") || lower.contains("worm") || lower.contains("legal hold") {
        let mut retention = Hint::from("to see until when, run ").then_shell([
            "aws",
            "s3api",
            "get-object-retention",
            "--bucket",
            name,
            "--key",
            key,
        ]);
        if let Some(id) = refused.version_id() {
            retention = retention.arg("--version-id").arg(id);
        }
        return Error {
            message: format!("`{key}` in bucket `{name}` is locked, and S3 keeps it until the lock ends"),
            ..error
        }
        .exit(Exit::Refused)
        .hint(retention)
        .hint(Hint::command("down --keep-data").then(" removes everything but the bucket and the table"));
    }
    error.hint(Hint::command("policy --for down").then(" prints the permissions that emptying the bucket needs"))
}

async fn abort_uploads(client: &Client, bucket: &Bucket, prefix: &str) -> Result<()> {
    loop {
        let reply = client
            .list_multipart_uploads()
            .bucket(&bucket.name)
            .prefix(prefix)
            .expected_bucket_owner(&bucket.owner)
            .send()
            .await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => {
                let attempt = format!("cannot list the unfinished uploads in bucket `{}`", bucket.name);
                return Err(explain(attempt, &error));
            }
        };
        for upload in reply.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            client
                .abort_multipart_upload()
                .bucket(&bucket.name)
                .key(key)
                .upload_id(id)
                .expected_bucket_owner(&bucket.owner)
                .send()
                .await
                .map_err(|error| explain(format!("cannot abort the unfinished upload of `{key}`"), &error))?;
        }
        if reply.is_truncated() != Some(true) || reply.uploads().is_empty() {
            return Ok(());
        }
    }
}

/// What came of deleting a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Now,
    /// There was none of that name.
    Before,
    /// It stays, since something is in it.
    NotEmpty,
}

/// Deletes a bucket, provided that it is empty.
///
/// # Errors
/// Any failure of the request but the bucket's absence and its not being empty.
pub async fn delete_if_empty(client: &Client, bucket: &Bucket) -> Result<Deleted> {
    match client.delete_bucket().bucket(&bucket.name).expected_bucket_owner(&bucket.owner).send().await {
        Ok(_) => Ok(Deleted::Now),
        Err(error) if is_missing(&error) => Ok(Deleted::Before),
        Err(error) if code(&error) == Some("BucketNotEmpty") => Ok(Deleted::NotEmpty),
        Err(error) => Err(explain(format!("cannot delete bucket `{}`", bucket.name), &error)),
    }
}

/// Deletes a bucket that was emptied; one that is not there is as good.
///
/// # Errors
/// Something came into it meanwhile, or any other failure of the request.
pub async fn delete(client: &Client, bucket: &Bucket) -> Result<Deleted> {
    match delete_if_empty(client, bucket).await? {
        Deleted::NotEmpty => Err(Error::new(format!("cannot delete bucket `{}`: it is filling again", bucket.name))
            .hint("stop what writes into it, then run the same command again")),
        deleted => Ok(deleted),
    }
}

/// Pages of versions and delete markers; the SDK has no paginator for this operation.
struct Versions {
    next: Option<ListObjectVersionsFluentBuilder>,
}

impl Versions {
    fn of(client: &Client, bucket: &Bucket, prefix: &str) -> Self {
        Self {
            next: Some(
                client.list_object_versions().bucket(&bucket.name).prefix(prefix).expected_bucket_owner(&bucket.owner),
            ),
        }
    }

    /// The next page; `None` after the last, and for a bucket that is not there.
    async fn next(&mut self) -> Result<Option<Vec<ObjectIdentifier>>> {
        let Some(request) = self.next.take() else { return Ok(None) };
        let reply = match request.clone().send().await {
            Ok(reply) => reply,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => {
                return Err(explain(
                    format!("cannot list what is in bucket `{}`", request.get_bucket().as_deref().unwrap_or("?")),
                    &error,
                ));
            }
        };
        if reply.is_truncated() == Some(true) {
            self.next = Some(
                request
                    .set_key_marker(reply.next_key_marker.clone())
                    .set_version_id_marker(reply.next_version_id_marker.clone()),
            );
        }
        let versions = reply.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = reply.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        let page = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                ObjectIdentifier::builder().key(key?).set_version_id(version.map(ToOwned::to_owned)).build().ok()
            })
            .collect();
        Ok(Some(page))
    }
}

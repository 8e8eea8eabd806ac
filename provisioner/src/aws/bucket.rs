//! Stores, reads, counts and deletes objects, including versions, delete markers and unfinished uploads.
//!
//! Invariant: every request that changes a bucket names its expected owner, so a bucket that somebody else has taken
//! over is an error.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_bucket::HeadBucketError;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, EncodingType, Error as Refused, ObjectIdentifier};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::error::{code, explain, foreign_reply, is_missing, message};
pub use super::owned_bucket::Bucket;
use super::pace::Pace;
use super::versions::{Held, Versions, decoded, fits_xml};
use crate::core::hint::Hint;
use crate::error::{Error, Exit, Result};

/// A stored object.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The entity tag without quotes.
    pub etag: String,
    /// The version id if the bucket is versioned.
    pub version: Option<String>,
}

impl Stored {
    /// Reads the reply to an upload; `None` if it lacks what S3 always sends.
    pub(super) fn of(reply: PutObjectOutput) -> Option<Self> {
        let etag = reply.e_tag?.trim_matches('"').to_owned();
        Some(Self { etag, version: reply.version_id.filter(|version| version != "null") })
    }
}

/// Maximum number of parallel delete requests, of up to 1,000 keys each.
const PARALLEL_DELETES: usize = 16;

/// Whether the bucket exists, whoever owns it.
pub async fn exists(client: &Client, name: &str) -> Result<bool> {
    match client.head_bucket().bucket(name).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(HeadBucketError::is_not_found) || is_missing(&error) => {
            Ok(false)
        }
        // The bucket exists, but the caller may not access it, or it is in another region.
        Err(error) if error.raw_response().is_some_and(|r| matches!(r.status().as_u16(), 301 | 403)) => Ok(true),
        Err(error) => Err(explain(format!("cannot check whether bucket `{name}` exists"), &error)),
    }
}

/// What a look at a bucket finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The bucket belongs to the expected account and is in this region, if S3 names one.
    In(Option<String>),
    /// The bucket belongs to another account, or a permission is missing.
    Forbidden,
    /// There is no such bucket.
    Missing,
}

/// Looks at a bucket that should belong to the expected account.
pub async fn look(client: &Client, bucket: &Bucket) -> Result<Found> {
    let name = &bucket.name;
    match client.head_bucket().bucket(name).expected_bucket_owner(&bucket.owner).send().await {
        Ok(reply) => Ok(Found::In(reply.bucket_region)),
        Err(error) if is_missing(&error) => Ok(Found::Missing),
        // HEAD errors have no body, but a bucket in another region is named in a header.
        Err(error) => {
            let reply = error.raw_response();
            let elsewhere = reply.and_then(|reply| reply.headers().get("x-amz-bucket-region")).map(ToOwned::to_owned);
            match (reply.map(|reply| reply.status().as_u16()), elsewhere) {
                (Some(301 | 400), Some(region)) => Ok(Found::In(Some(region))),
                (Some(403), _) => Ok(Found::Forbidden),
                _ => Err(explain(format!("cannot look at bucket `{name}`"), &error)),
            }
        }
    }
}

/// Checks that a bucket belongs to the expected account and is in a region.
///
/// # Errors
/// The bucket belongs to another account or is in another region, or the request fails.
pub async fn check(client: &Client, bucket: &Bucket, region: &str) -> Result<()> {
    let name = &bucket.name;
    match look(client, bucket).await? {
        Found::In(other) => match other.filter(|other| other != region) {
            Some(other) => Err(Error::new(format!("bucket `{name}` is in {other}, but the system is in {region}"))
                .exit(Exit::Refused)
                .hint(format!("deploy the system in the bucket's region with `--region {other}`"))),
            None => Ok(()),
        },
        Found::Forbidden => Err(Error::new(format!("cannot access bucket `{name}`"))
            .cause(format!("it does not belong to account {}, or `s3:ListBucket` is not allowed", bucket.owner))
            .exit(Exit::Refused)
            .hint("choose another name with `--parameter BucketName=NAME`")),
        Found::Missing => Err(Error::new(format!("bucket `{name}` does not exist")).exit(Exit::Refused)),
    }
}

/// Whether the bucket's policy allows somebody something; `None` if it cannot be read.
pub async fn policy_allows(client: &Client, bucket: &Bucket) -> Option<bool> {
    let reply = client.get_bucket_policy().bucket(&bucket.name).expected_bucket_owner(&bucket.owner).send().await;
    match reply {
        Ok(reply) => Some(reply.policy.is_some_and(|policy| policy.contains("\"Allow\""))),
        Err(error) if is_missing(&error) || code(&error) == Some("NoSuchBucketPolicy") => Some(false),
        Err(_) => None,
    }
}

/// Stores an object.
pub async fn put(client: &Client, bucket: &Bucket, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<Stored> {
    let attempt = || format!("cannot upload `{key}` to bucket `{}`", bucket.name);
    let reply = client
        .put_object()
        .bucket(&bucket.name)
        .key(key)
        .expected_bucket_owner(&bucket.owner)
        .content_type(content_type)
        .body(ByteStream::from(bytes))
        .send()
        .await
        .map_err(|error| explain(attempt(), &error))?;
    Stored::of(reply).ok_or_else(|| foreign_reply(attempt()))
}

/// The result of reading an object.
#[derive(Debug)]
pub enum Read {
    /// The contents, and the entity tag without quotes.
    Bytes(Bytes, String),
    /// The bucket, the key or the version does not exist.
    Missing,
    /// The caller may not read the object.
    Denied,
    /// The object is larger than the limit.
    TooLarge,
}

/// Reads a whole object, unless it has more than `limit` bytes.
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
    let etag = reply.e_tag.unwrap_or_default().trim_matches('"').to_owned();
    let body = reply.body.collect().await.map_err(|error| Error::new(attempt()).because(&error))?;
    Ok(Read::Bytes(body.into_bytes(), etag))
}

/// Counts the objects in a bucket, including versions and delete markers, up to a limit. A missing bucket has none.
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

/// Deletes everything under a prefix (everything if it is empty): versions, delete markers and unfinished uploads.
///
/// After each batch, `progress` gets the number of deleted versions and markers, which is also returned at the end.
///
/// # Errors
/// A request fails, or an object cannot be deleted, for example because of an object lock. The error names the first
/// one.
pub async fn empty(client: &Client, bucket: &Bucket, prefix: &str, progress: impl FnMut(usize)) -> Result<usize> {
    let removed = remove(client, bucket, prefix, progress).await?;
    abort_uploads(client, bucket, prefix).await?;
    Ok(removed)
}

/// Deletes all versions and delete markers under a prefix, but not unfinished uploads.
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

/// Deletes versions and delete markers that were listed.
pub async fn remove_listed(client: &Client, bucket: &Bucket, listed: Vec<Held>) -> Result<usize> {
    let objects = listed
        .into_iter()
        .filter_map(|held| ObjectIdentifier::builder().key(held.key).version_id(held.version).build().ok());
    delete_batch(client.clone(), bucket.clone(), objects.collect()).await
}

fn finished(done: std::result::Result<Result<usize>, tokio::task::JoinError>) -> Result<usize> {
    done.map_err(|error| Error::new("the deletion of objects crashed").because(&error))?
}

/// Maximum number of attempts to delete a key that S3 temporarily cannot delete.
const ATTEMPTS: usize = 5;

pub(super) async fn delete_batch(client: Client, bucket: Bucket, objects: Vec<ObjectIdentifier>) -> Result<usize> {
    let count = objects.len();
    let (mut objects, unnamable): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| fits_xml(object.key()));
    for object in unnamable {
        delete_one(&client, &bucket, object).await?;
    }
    let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(3));
    for attempt in 1.. {
        if objects.is_empty() {
            break;
        }
        let delete = Delete::builder()
            .set_objects(Some(objects))
            .quiet(true)
            .build()
            .map_err(|error| Error::new("cannot build the request to delete objects").because(&error))?;
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
        if !objects.is_empty() {
            pace.wait().await;
        }
    }
    Ok(count)
}

/// Deletes a version whose key no list in XML can name.
async fn delete_one(client: &Client, bucket: &Bucket, object: ObjectIdentifier) -> Result<()> {
    let ObjectIdentifier { key, version_id, .. } = object;
    let request = client.delete_object().bucket(&bucket.name).expected_bucket_owner(&bucket.owner).key(&key);
    match request.set_version_id(version_id.clone()).send().await {
        Err(error) if error.as_service_error().is_some() => {
            let refused = Refused::builder().key(key).set_version_id(version_id);
            let refused = refused.set_code(code(&error).map(ToOwned::to_owned));
            Err(refusal(bucket, &refused.set_message(message(&error).map(ToOwned::to_owned)).build()))
        }
        Err(error) => Err(explain(format!("cannot empty bucket `{}`", bucket.name), &error)),
        Ok(_) => Ok(()),
    }
}

/// The error for an object that S3 refuses to delete.
fn refusal(bucket: &Bucket, refused: &Refused) -> Error {
    let (key, name) = (refused.key().unwrap_or("?"), &bucket.name);
    let message = refused.message().unwrap_or("no message");
    let error = Error::new(format!("cannot delete `{key}` from bucket `{name}`"))
        .cause(format!("{}: {message}", refused.code().unwrap_or("Unknown")));
    let lower = message.to_ascii_lowercase();
    if lower.contains("object lock") || lower.contains("worm") || lower.contains("legal hold") {
        let mut retention = Hint::from("to see when the lock ends, run ").then_shell([
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
            message: format!("`{key}` in bucket `{name}` is locked and cannot be deleted until the lock ends"),
            ..error
        }
        .exit(Exit::Refused)
        .hint(retention)
        .hint(Hint::command("down --keep-data").then(" deletes everything except the bucket and the table"));
    }
    error.hint(Hint::command("policy --for down").then(" prints the permissions that are needed to empty the bucket"))
}

async fn abort_uploads(client: &Client, bucket: &Bucket, prefix: &str) -> Result<()> {
    loop {
        let reply = client
            .list_multipart_uploads()
            .bucket(&bucket.name)
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
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
            let key = decoded(key, reply.encoding_type());
            client
                .abort_multipart_upload()
                .bucket(&bucket.name)
                .key(&key)
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

/// The result of deleting a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The bucket was deleted.
    Now,
    /// The bucket did not exist.
    Before,
    /// The bucket was not deleted, because it is not empty.
    NotEmpty,
}

/// Deletes a bucket if it is empty.
pub async fn delete_if_empty(client: &Client, bucket: &Bucket) -> Result<Deleted> {
    match client.delete_bucket().bucket(&bucket.name).expected_bucket_owner(&bucket.owner).send().await {
        Ok(_) => Ok(Deleted::Now),
        Err(error) if is_missing(&error) => Ok(Deleted::Before),
        Err(error) if code(&error) == Some("BucketNotEmpty") => Ok(Deleted::NotEmpty),
        Err(error) => Err(explain(format!("cannot delete bucket `{}`", bucket.name), &error)),
    }
}

/// Deletes an emptied bucket; it may already be gone.
pub async fn delete(client: &Client, bucket: &Bucket) -> Result<Deleted> {
    match delete_if_empty(client, bucket).await? {
        Deleted::NotEmpty => Err(Error::new(format!("cannot delete bucket `{}`", bucket.name))
            .cause("new objects were stored in it after it was emptied")
            .hint("stop the uploads, then run the same command again")),
        deleted => Ok(deleted),
    }
}

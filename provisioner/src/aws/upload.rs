//! Uploads that never replace an object by accident.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::bucket::{Bucket, Stored};
use super::error::{code, explain, foreign_reply};
use crate::error::Result;

/// The result of an upload.
#[derive(Clone, Debug)]
pub enum Uploaded {
    /// The object was stored.
    Stored(Stored),
    /// An object with this key already exists; it was not changed.
    Exists,
}

/// Stores an object; an existing one is replaced only with `overwrite`.
pub async fn upload(client: &Client, bucket: &Bucket, key: &str, bytes: Bytes, overwrite: bool) -> Result<Uploaded> {
    let attempt = || format!("cannot upload `{key}` to bucket `{}`", bucket.name);
    let sent = client
        .put_object()
        .bucket(&bucket.name)
        .key(key)
        .expected_bucket_owner(&bucket.owner)
        .set_if_none_match((!overwrite).then(|| "*".to_owned()))
        .content_type("application/octet-stream")
        .body(ByteStream::from(bytes))
        .send()
        .await;
    match sent {
        Ok(reply) => Stored::of(reply).map(Uploaded::Stored).ok_or_else(|| foreign_reply(attempt())),
        Err(error) if code(&error) == Some("PreconditionFailed") => Ok(Uploaded::Exists),
        Err(error) => Err(explain(attempt(), &error)),
    }
}

/// The object with this key, if its contents are equal to these bytes, and the time of its upload in milliseconds since
/// the Unix epoch, if S3 tells it.
pub async fn same(client: &Client, bucket: &Bucket, key: &str, bytes: &Bytes) -> Result<Option<(Stored, Option<i64>)>> {
    let attempt = || format!("cannot read `{key}` from bucket `{}`", bucket.name);
    let request = client.get_object().bucket(&bucket.name).key(key).expected_bucket_owner(&bucket.owner);
    let reply = request.send().await.map_err(|error| explain(attempt(), &error))?;
    if reply.content_length.and_then(|length| usize::try_from(length).ok()) != Some(bytes.len()) {
        return Ok(None);
    }
    let uploaded = reply.last_modified.and_then(|at| at.to_millis().ok());
    let stored = Stored {
        etag: reply.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
        version: reply.version_id.filter(|version| version != "null"),
    };
    let body = reply.body.collect().await.map_err(|error| crate::error::Error::new(attempt()).because(&error))?;
    Ok((body.into_bytes() == *bytes).then_some((stored, uploaded)))
}

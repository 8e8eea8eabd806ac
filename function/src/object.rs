//! Asks S3 for the current state of an uploaded object: its size, version, and entity tag.
//!
//! Invariant: only the version or the entity tag that the event names is accepted.

use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::types::StorageClass;
use aws_smithy_types::DateTime;

use crate::context::Context;
use crate::event::unquoted;
use crate::notification::Notification;
use crate::outcome::{Outcome, failure};

/// The largest object that Rekognition reads from S3, in bytes.
const LARGEST: i64 = 15 * 1024 * 1024;

/// An object that can be sent to Rekognition.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The version that Rekognition must read, if the bucket is versioned: from the event, otherwise from S3.
    pub(crate) version: Option<String>,
    /// The entity tag that must not change until the rows are written: from the event, otherwise from S3.
    pub(crate) etag: Option<String>,
    /// When the object was last modified.
    pub(crate) modified: Option<DateTime>,
}

impl Object {
    /// Whether the version identifies the bytes. The version called `null` can be overwritten.
    pub(crate) fn is_immutable(&self) -> bool {
        self.version.as_deref().is_some_and(|version| version != "null")
    }
}

/// Inspects the object of `upload`. Returns an outcome as an error if there is no need to call Rekognition.
pub(crate) async fn inspect(cx: Context<'_>, upload: &Notification) -> Result<Object, Outcome> {
    let (version, etag) = (upload.version.as_deref(), upload.etag.as_deref());
    let head = head(cx, upload, version, etag).await?;
    let unusable = |code: &str| Err(Outcome::Unusable { code: code.to_owned() });
    match head.content_length {
        Some(..=0) if upload.key.ends_with('/') => return unusable("Folder"),
        Some(..=0) => return unusable("EmptyObject"),
        Some(size) if size > LARGEST => return unusable("ObjectTooLarge"),
        _ => {}
    }
    if matches!(head.storage_class, Some(StorageClass::Glacier | StorageClass::DeepArchive)) {
        return unusable("ArchivedObject");
    }
    Ok(Object {
        version: upload.version.clone().or(head.version_id.filter(|version| !version.is_empty() && version != "null")),
        etag: upload.etag.clone().or(head.e_tag.map(|etag| unquoted(&etag).to_owned()).filter(|etag| !etag.is_empty())),
        modified: head.last_modified,
    })
}

/// Confirms that the object has not changed since it was inspected. An immutable one cannot change.
pub(crate) async fn confirm(cx: Context<'_>, upload: &Notification, object: &Object) -> Result<(), Outcome> {
    let (version, etag) = (object.version.as_deref(), object.etag.as_deref());
    head(cx, upload, version, etag).await.map(drop)
}

async fn head(
    cx: Context<'_>,
    upload: &Notification,
    version: Option<&str>,
    etag: Option<&str>,
) -> Result<HeadObjectOutput, Outcome> {
    let condition = match version {
        None | Some("null") => etag.map(|etag| format!("\"{etag}\"")),
        Some(_) => None,
    };
    cx.services
        .s3
        .head_object()
        .bucket(&upload.bucket)
        .key(&upload.key)
        .set_version_id(version.map(str::to_owned))
        .set_if_match(condition)
        .customize()
        .interceptor(cx.progress.begin::<HeadObjectError>(cx.step))
        .send()
        .await
        .map_err(|error| {
            match error.raw_response().map(|response| response.status().as_u16()) {
                Some(404) => Outcome::Skipped { code: "Gone" },
                // The version is a delete marker.
                Some(405) => Outcome::Skipped { code: "Deleted" },
                Some(412) => Outcome::Skipped { code: "Replaced" },
                _ => Outcome::Failed(failure(cx.step, &error)),
            }
        })
}

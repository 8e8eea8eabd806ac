//! Asks S3 for the current state of an uploaded object: its size, version, and entity tag.
//!
//! Invariant: only the version or the entity tag that the event names is accepted.

use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::types::StorageClass;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::context::Context;
use crate::event::unquoted;
use crate::notification::Notification;
use crate::outcome::{Failure, Outcome, failure};

/// The outcome's code if there is no such object or version.
pub(crate) const GONE: &str = "Gone";

/// The outcome's code if the version is a delete marker.
const DELETED: &str = "Deleted";

/// The largest object that Rekognition reads from S3, in bytes.
const LARGEST: i64 = 15 * 1024 * 1024;

/// The largest picture that Rekognition accepts in a request, in bytes.
const LARGEST_SENT: i64 = 5 * 1024 * 1024;

/// Why Rekognition cannot process an object that only the owner of a key outside AWS can read (SSE-C).
pub(crate) const CUSTOMER_KEY: &str = "EncryptedWithCustomerKey";

/// An inspected object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    /// The version that must be read, if the bucket is versioned: from the event, otherwise from S3.
    pub(crate) version: Option<String>,
    /// The entity tag that must not change until the rows are written: from the event, otherwise from S3.
    pub(crate) etag: Option<String>,
    /// When the object was last modified.
    pub(crate) modified: Option<DateTime>,
    /// The KMS key that the object is encrypted with.
    pub(crate) kms_key: Option<String>,
    /// Why Rekognition cannot process the object.
    pub(crate) defect: Option<&'static str>,
}

impl Object {
    /// Whether the version identifies the bytes. The version called `null` can be overwritten.
    pub(crate) fn is_immutable(&self) -> bool {
        self.version.as_deref().is_some_and(|version| version != "null")
    }
}

/// Inspects the object of `upload`.
pub(crate) async fn inspect(cx: Context<'_>, upload: &Notification) -> Result<Object, Outcome> {
    let (version, etag) = (upload.version.clone(), upload.etag.clone());
    let head = match head(cx, upload, version.as_deref(), etag.as_deref()).await? {
        Head::Found(head) => head,
        Head::CustomerKey => {
            return Ok(Object { version, etag, defect: Some(CUSTOMER_KEY), ..Object::default() });
        }
    };
    let defect = match head.content_length {
        Some(..=0) if upload.key.ends_with('/') => Some("Folder"),
        Some(..=0) => Some("EmptyObject"),
        Some(size) if size > LARGEST => Some("ObjectTooLarge"),
        Some(size) if size > LARGEST_SENT && cx.settings.rekognition_region.is_some() => {
            Some("TooLargeForAnotherRegion")
        }
        _ if matches!(head.storage_class, Some(StorageClass::Glacier | StorageClass::DeepArchive)) => {
            Some("ArchivedObject")
        }
        _ => None,
    };
    Ok(Object {
        version: version.or(head.version_id.filter(|version| !version.is_empty() && version != "null")),
        etag: etag.or(head.e_tag.as_deref().and_then(bare)),
        modified: head.last_modified,
        kms_key: head.ssekms_key_id,
        defect,
    })
}

/// Confirms that the object has not changed since it was inspected. An immutable one cannot change.
pub(crate) async fn confirm(cx: Context<'_>, upload: &Notification, object: &Object) -> Result<(), Outcome> {
    head(cx, upload, object.version.as_deref(), object.etag.as_deref()).await.map(drop)
}

/// Reads the object that was inspected.
pub(crate) async fn bytes(cx: Context<'_>, upload: &Notification, object: &Object) -> Result<Vec<u8>, Outcome> {
    let reply = get(cx, upload, object.version.as_deref(), object.etag.as_deref(), None).await;
    let body = reply.map_err(|error| match outcome(cx, &error) {
        Outcome::Failed(failure) if is_about_key(&failure) => Outcome::Failed(name_key(failure, object)),
        outcome => outcome,
    })?;
    let body = body.body.collect().await.map_err(|error| {
        let (code, message) = ("InvalidReply".to_owned(), error.to_string());
        Outcome::Failed(Failure { step: cx.step, code, message, retryable: true })
    })?;
    Ok(body.to_vec())
}

/// Explains why Rekognition could not read the object that was inspected. Rekognition itself gives no reason, but S3
/// does. If the reason can be a KMS key, the failure names it.
pub(crate) async fn explain(cx: Context<'_>, upload: &Notification, object: &Object, failure: Failure) -> Failure {
    if object.kms_key.is_none() {
        return failure;
    }
    let (version, etag) = (object.version.as_deref(), object.etag.as_deref());
    match get(cx, upload, version, etag, Some(FIRST_BYTE)).await {
        Ok(_) => name_key(failure, object),
        Err(error) => match crate::outcome::failure(cx.step, &error) {
            reason if is_about_key(&reason) => name_key(reason, object),
            _ => failure,
        },
    }
}

/// Whether a request to read an object may have failed because of its KMS key.
fn is_about_key(failure: &Failure) -> bool {
    failure.code == "AccessDenied" || failure.code.starts_with("KMS.")
}

fn name_key(failure: Failure, object: &Object) -> Failure {
    let Some(key) = &object.kms_key else { return failure };
    let hint = format!("the object is encrypted with the KMS key `{key}`; add it to the parameter `PictureKeys`");
    Failure { message: format!("{}; {hint}", failure.message), ..failure }
}

/// What S3 holds under a key, or as one of its versions.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    Held(Held),
    /// An object that only the owner of a key outside AWS can read.
    CustomerKey,
    /// Nothing, or a delete marker.
    Gone,
}

/// An object that S3 holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) version: Option<String>,
    pub(crate) etag: Option<String>,
}

impl Look {
    pub(crate) fn held(&self) -> Option<&Held> {
        match self {
            Self::Held(held) => Some(held),
            _ => None,
        }
    }
}

/// Asks S3 for the current object of the notification's key, or for one of its versions. A denied request is an error:
/// it never means that the object is gone.
pub(crate) async fn look(cx: Context<'_>, notification: &Notification, version: Option<&str>) -> Result<Look, Failure> {
    match head(cx, notification, version, None).await {
        Ok(Head::Found(head)) => Ok(Look::Held(Held {
            version: head.version_id.filter(|version| !version.is_empty()),
            etag: head.e_tag.as_deref().and_then(bare),
        })),
        Ok(Head::CustomerKey) => Ok(Look::CustomerKey),
        Err(Outcome::Skipped { code: GONE | DELETED }) => Ok(Look::Gone),
        Err(Outcome::Failed(failure)) => Err(failure),
        Err(outcome) => {
            let (code, message) = ("InvalidReply".to_owned(), format!("S3 gave an unexpected reply: {outcome:?}"));
            Err(Failure { step: cx.step, code, message, retryable: true })
        }
    }
}

/// S3's description of an object.
enum Head {
    Found(Box<HeadObjectOutput>),
    CustomerKey,
}

async fn head(
    cx: Context<'_>,
    upload: &Notification,
    version: Option<&str>,
    etag: Option<&str>,
) -> Result<Head, Outcome> {
    let reply = cx
        .services
        .s3
        .head_object()
        .bucket(&upload.bucket)
        .key(&upload.key)
        .set_version_id(version.map(str::to_owned))
        .set_if_match(condition(version, etag))
        .customize()
        .interceptor(cx.progress.begin::<HeadObjectError>(cx.step))
        .send()
        .await;
    let error = match reply {
        Ok(head) => return Ok(Head::Found(Box::new(head))),
        Err(error) => error,
    };
    if status(&error) != Some(400) {
        return Err(outcome(cx, &error));
    }
    // A reply to HEAD has no body, so only another request can tell what is wrong.
    match get(cx, upload, version, etag, Some(FIRST_BYTE)).await {
        Ok(_) => Err(outcome(cx, &error)),
        Err(error) if needs_customer_key(&error) => Ok(Head::CustomerKey),
        Err(error) => Err(outcome(cx, &error)),
    }
}

const FIRST_BYTE: &str = "bytes=0-0";

async fn get(
    cx: Context<'_>,
    upload: &Notification,
    version: Option<&str>,
    etag: Option<&str>,
    range: Option<&str>,
) -> Result<GetObjectOutput, SdkError<GetObjectError, HttpResponse>> {
    cx.services
        .s3
        .get_object()
        .bucket(&upload.bucket)
        .key(&upload.key)
        .set_range(range.map(str::to_owned))
        .set_version_id(version.map(str::to_owned))
        .set_if_match(condition(version, etag))
        .customize()
        .interceptor(cx.progress.begin::<GetObjectError>(cx.step))
        .send()
        .await
}

/// An entity tag without quotes, if it is not empty.
fn bare(etag: &str) -> Option<String> {
    Some(unquoted(etag).to_owned()).filter(|etag| !etag.is_empty())
}

/// The entity tag to require, unless the version identifies the bytes.
fn condition(version: Option<&str>, etag: Option<&str>) -> Option<String> {
    let etag = etag.filter(|_| matches!(version, None | Some("null")));
    etag.map(|etag| format!("\"{etag}\""))
}

fn needs_customer_key(error: &SdkError<GetObjectError, HttpResponse>) -> bool {
    // S3's code says no more than that the request is invalid.
    error.as_service_error().is_some_and(|error| {
        error.code() == Some("InvalidRequest")
            && error.message().is_some_and(|message| message.contains("Server Side Encryption"))
    })
}

fn outcome<E>(cx: Context<'_>, error: &SdkError<E, HttpResponse>) -> Outcome
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match status(error) {
        Some(404) => Outcome::Skipped { code: GONE },
        // The version is a delete marker.
        Some(405) => Outcome::Skipped { code: DELETED },
        Some(412) => Outcome::Skipped { code: "Replaced" },
        _ => Outcome::Failed(failure(cx.step, error)),
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

//! The Lambda function: writes one row to the table for every face in an uploaded picture.
//!
//! [`handle`] contains all of the behavior. It [decodes](event) an event into [notifications](notification) and takes
//! each of them through its steps: look for an earlier result, inspect the object, detect its faces, write their rows.
//! Then it [reports](report) the [outcomes](outcome). `main.rs` only adds the Lambda runtime.
//!
//! Invariants:
//! - No input causes a panic. A record that cannot be read does not affect the others.
//! - A failed record is delivered again, because S3 ignores the response ([`Report::error_type`]). In an SQS batch,
//!   only the failed messages are delivered again ([`Report::response`]).
//! - Repeated deliveries of an event, concurrent or later, produce the same rows.
//! - With `ERASE_ROWS=true`, the tables end up with what S3 holds, in whatever order events arrive.
//!
//! # Contract with the deployment
//!
//! Environment variables. An empty one counts as unset.
//!
//! | variable | value | if unset |
//! | --- | --- | --- |
//! | `TABLE_NAME` | the table of the rows | the function does not start |
//! | `BUCKET_NAME` | the bucket to connect to before the first event | the first request connects |
//! | `RETENTION_DAYS` | days after the event until rows and items expire | they never expire |
//! | `LOG_KEYS` | `true` to log buckets and keys | they are not logged |
//! | `EXTENSIONS` | `jpg,jpeg,png`: other keys are skipped before any request | all keys |
//! | `ATTRIBUTES` | any of Rekognition's, for example `GENDER,SMILE`, or `ALL` | only these: `AGE_RANGE,EMOTIONS` |
//! | `REKOGNITION_REGION` | a region in the same partition | the function's own region |
//! | `PICTURE_TABLE_NAME` | the picture table | there is none |
//! | `ERASE_ROWS` | `true` to follow removals; needs `PICTURE_TABLE_NAME` | removals are skipped |
//!
//! A *row* has the key `FaceID` (S): 32 hexadecimal digits (the start of the SHA-256 hash of `v1`, partition, bucket,
//! key, and content, each after its length in eight bytes), `#`, and the rank of the face in three digits. Its
//! attributes are `Age`, `Emotion`, `Bucket`, `Key`, `VersionId`, `EventTime` (S), `AgeLow`, `AgeHigh`,
//! `EmotionConfidence`, `Confidence`, `FaceCount`, `ExpiresAt` (N), and `BoundingBox` (M). `ATTRIBUTES` adds `Gender`
//! (S), `Smile`, `Eyeglasses`, `Sunglasses`, `Beard`, `Mustache`, `EyesOpen`, `MouthOpen`, `FaceOccluded` (BOOL), each
//! with a number `…Confidence`, and `EyeDirection` (M: `Yaw`, `Pitch`, `Confidence`). `ALL` also adds `Pose` (M:
//! `Roll`, `Yaw`, `Pitch`) and `Quality` (M: `Brightness`, `Sharpness`). An attribute that Rekognition does not return
//! is absent.
//!
//! An *item of the picture table* has the key `Picture` (S), which is `BUCKET/KEY`, and the sort key `Content` (S),
//! which is the version or, for an object without one or with the version `null`, `etag:` and the entity tag without
//! quotes. Its attributes are `FaceID` (S, the 32 digits), `Outcome` (S: `stored`, `no_face`, `unusable`, `forgotten`),
//! `Code` (S, only if unusable), `FaceCount` (N), `EventTime`, `ProcessedAt` (S), and `ExpiresAt` (N). An item has
//! exactly the rows `FaceID#000` up to its `FaceCount`. Without `Outcome` its rows are being erased. Whoever writes or
//! deletes an item must do so on the condition that `ProcessedAt` is still as it was read (or that there is no item),
//! together with the rows in one transaction, and with a new `ProcessedAt`. An item `forgotten` is never processed
//! again. Erasure deletes such an item only when S3 no longer holds its content.
//!
//! A *message in the backfill queue* is an S3 notification with one record: `awsRegion`, `eventTime` (the object's
//! `Last-Modified`), `s3.bucket.name`, and in `s3.object` the form-encoded `key` and the `eTag`. If the bucket has ever
//! been versioned, it must also have the `versionId` (`null` included), or else neither `versionId` nor `eTag`:
//! otherwise the picture is stored a second time under its entity tag.
//!
//! The role may use these actions: `s3:GetObject` and `s3:GetObjectVersion` on the objects and `s3:ListBucket` on the
//! bucket (S3 answers 404 only with it, and 403 never means gone); `rekognition:DetectFaces`; `dynamodb:PutItem` on the
//! table. With a picture table also `dynamodb:DeleteItem` on the table, and `dynamodb:Query`, `PutItem`, and
//! `DeleteItem` on the picture table. An SQS event source mapping must set `ReportBatchItemFailures`.

pub mod event;
pub mod http;
pub mod notification;
pub mod outcome;
pub mod report;
pub mod services;
pub mod settings;
pub mod telemetry;

mod attributes;
mod cancellation;
mod connection;
mod context;
mod detect;
mod diagnostics;
mod name;
mod object;
mod picture;
mod picture_table;
mod process;
mod progress;
mod retry;
mod row;
mod settle;
mod store;
mod upload;

use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt, stream};
use serde_json::Value;

pub use diagnostics::install as install_diagnostics;
pub use outcome::{Failure, Outcome, Step};
pub use report::{RecordReport, Report};
pub use services::Services;
pub use settings::Settings;

use context::Context;
use event::Record;
use notification::Notification;
use progress::Progress;

/// The maximum number of records processed concurrently. S3 sends one record per event; other senders may send more.
const CONCURRENT_RECORDS: usize = 8;

/// One invocation of the function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's request ID, for the log.
    pub request_id: String,
    /// When Lambda stops the function.
    pub deadline: SystemTime,
}

/// Processes the records of an event and reports the outcome of each. The records of an SQS batch are processed in
/// sequence, so that the number of concurrent invocations limits the number of requests.
pub async fn handle(event: &Value, services: &Services, settings: &Settings, invocation: &Invocation) -> Report {
    let budget = invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let end = Instant::now() + budget.saturating_sub(settings.patience.margin);
    let event = event::decode(event);
    let concurrency = if event.is_batch { 1 } else { CONCURRENT_RECORDS };
    // Not `buffered`: there, a record that hangs would hold up those behind it.
    let mut records: Vec<_> = stream::iter(event.records.into_iter().enumerate())
        .map(async |(position, record)| (position, report(record, services, settings, end).await))
        .buffer_unordered(concurrency)
        .collect()
        .await;
    records.sort_unstable_by_key(|(position, _)| *position);
    Report { records: records.into_iter().map(|(_, report)| report).collect(), is_batch: event.is_batch }
}

async fn report(record: Record, services: &Services, settings: &Settings, end: Instant) -> RecordReport {
    let start = Instant::now();
    let mut report = RecordReport {
        outcome: Outcome::NoFace,
        message_id: record.message_id,
        id: None,
        extension: None,
        object: None,
        erased_rows: 0,
        took: Duration::ZERO,
        detect_took: None,
    };
    match record.notification {
        Err(malformed) => report.outcome = process::rejected("MalformedRecord", malformed.to_string()),
        Ok(notification) => {
            let progress = Progress::new();
            let cx = Context { services, settings, progress: &progress, step: Step::Event };
            // `timeout_at` polls the work before it checks the time, so it would send a request after the deadline.
            let result = if end.saturating_duration_since(start).is_zero() {
                None
            } else {
                tokio::time::timeout_at(end.into(), process::process(cx, &notification)).await.ok()
            };
            let outcome = result.unwrap_or_else(|| Outcome::Failed(progress.out_of_time()));
            report.outcome = redact(outcome, &notification, settings);
            report.id = progress.id();
            report.erased_rows = progress.erased_rows();
            report.extension = extension(&notification.key);
            report.detect_took = progress.detect_took();
            report.object = settings.log_keys.then_some((notification.bucket, notification.key));
        }
    }
    report.took = start.elapsed();
    report
}

/// Removes the bucket and the key from AWS's message unless the settings allow logging them.
fn redact(mut outcome: Outcome, notification: &Notification, settings: &Settings) -> Outcome {
    if let Outcome::Failed(failure) = &mut outcome
        && !settings.log_keys
    {
        failure.message = failure.message.replace(&notification.key, "(key)").replace(&notification.bucket, "(bucket)");
    }
    outcome
}

/// Extensions of common file types, including the two that Rekognition supports.
const EXTENSIONS: [&str; 18] = [
    "jpg", "jpeg", "png", "avif", "bmp", "gif", "heic", "heif", "json", "mov", "mp4", "pdf", "svg", "tif", "tiff",
    "txt", "webp", "zip",
];

/// The extension of a key if it is a common one. Any other extension might be part of a person's name.
fn extension(key: &str) -> Option<String> {
    let extension = key.rsplit_once('.')?.1.to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str()).then_some(extension)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_common_extensions_are_reported() {
        for (key, expected) in
            [("a/b.JPG", Some("jpg")), ("jane.smith", None), ("a.b/c", None), ("png", None), ("x.", None)]
        {
            assert_eq!(super::extension(key).as_deref(), expected, "{key}");
        }
    }
}

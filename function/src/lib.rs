//! The Lambda function: writes one row to the table for every face in an uploaded picture.
//!
//! [`handle`] contains all of the behavior. It [decodes](event) the records of an event. For each record, it inspects
//! the object, detects the faces, writes their rows in one transaction, and [reports](outcome) the result. `main.rs`
//! only adds the Lambda runtime.
//!
//! Invariants:
//! - No input causes a panic. A record that cannot be read does not affect the others.
//! - A failed record fails the invocation ([`Report::error_type`]), because S3 ignores the response.
//! - Repeated deliveries of an event, concurrent or later, produce the same rows.

pub mod event;
pub mod http;
pub mod outcome;
pub mod services;
pub mod settings;
pub mod telemetry;

mod cancellation;
mod connection;
mod detect;
mod diagnostics;
mod object;
mod progress;
mod record;
mod retry;
mod store;

use std::time::{Duration, Instant, SystemTime};

use aws_smithy_types::DateTime;
use futures_util::{StreamExt, stream};
use serde_json::Value;

pub use diagnostics::install as install_diagnostics;
pub use outcome::{Failure, Outcome, RecordReport, Report, Step};
pub use services::Services;
pub use settings::Settings;

use event::{Malformed, Upload};
use progress::Progress;
use record::{Source, content};

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

/// Processes the records of an event concurrently and reports the outcome of each.
pub async fn handle(event: &Value, services: &Services, settings: &Settings, invocation: &Invocation) -> Report {
    let budget = invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let end = Instant::now() + budget.saturating_sub(settings.patience.margin);
    let records = event::decode(event).unwrap_or_else(|malformed| vec![Err(malformed)]);
    let mut records: Vec<_> = stream::iter(records.into_iter().enumerate())
        .map(async |(position, record)| (position, process(record, services, settings, end).await))
        .buffer_unordered(CONCURRENT_RECORDS)
        .collect()
        .await;
    records.sort_unstable_by_key(|(position, _)| *position);
    Report { records: records.into_iter().map(|(_, report)| report).collect() }
}

async fn process(
    record: Result<Upload, Malformed>,
    services: &Services,
    settings: &Settings,
    end: Instant,
) -> RecordReport {
    let start = Instant::now();
    let mut report = RecordReport {
        outcome: Outcome::NoFace,
        id: None,
        extension: None,
        object: None,
        took: Duration::ZERO,
        detect_took: None,
    };
    match record {
        Err(malformed) => report.outcome = rejected("MalformedRecord", malformed.to_string()),
        Ok(upload) => {
            let progress = Progress::new();
            // `timeout_at` polls the work before it checks the time, so it would send a request after the deadline.
            let result = if start < end {
                let work = work(&upload, services, settings, &progress, &mut report.id);
                tokio::time::timeout_at(end.into(), work).await.ok()
            } else {
                None
            };
            let outcome = match result {
                Some(Ok(faces)) => Outcome::Stored { faces },
                Some(Err(outcome)) => outcome,
                None => Outcome::Failed(progress.out_of_time()),
            };
            report.outcome = redact(outcome, &upload, settings);
            report.extension = extension(&upload.key);
            report.detect_took = progress.detect_took();
            report.object = settings.log_keys.then_some((upload.bucket, upload.key));
        }
    }
    report.took = start.elapsed();
    report
}

/// Takes one record through all steps. Returns the number of rows written, or any other outcome as an error.
async fn work(
    upload: &Upload,
    services: &Services,
    settings: &Settings,
    progress: &Progress,
    id: &mut Option<String>,
) -> Result<usize, Outcome> {
    if !upload.is_creation() {
        return Err(Outcome::Skipped { code: "NotAnUpload" });
    }
    if let Some(region) = upload.region.as_ref().filter(|region| **region != settings.region) {
        let message = format!("the event comes from {region}, but the function runs in {}", settings.region);
        return Err(rejected("WrongRegion", message));
    }
    // The event takes precedence over S3's reply, so that every delivery of the event names the same rows.
    let name = |content: Option<String>| Some(record::id(settings.partition(), &upload.bucket, &upload.key, &content?));
    *id = name(content(upload.version.as_deref(), upload.etag.as_deref()));
    let object = object::inspect(upload, services, progress).await?;
    if id.is_none() {
        *id = name(content(object.version.as_deref(), object.etag.as_deref()));
    }
    let id = id
        .as_deref()
        .ok_or_else(|| rejected("Nameless", "neither the event nor S3 gave a version or an entity tag".to_owned()))?;
    let time = upload.time.or(object.modified).unwrap_or_else(|| SystemTime::now().into());
    let source = Source {
        id,
        bucket: &upload.bucket,
        key: &upload.key,
        version: object.version.as_deref(),
        time: Some(time),
        expires_at: settings.retention_days.map(|days| expiry(time, days)),
    };
    let start = Instant::now();
    let faces = detect::faces(upload, &object, services, progress).await;
    progress.detected_in(start.elapsed());
    // Rekognition accepts no entity tag. Without a version, its reply may therefore be about newer bytes than those
    // inspected. It also returns the same error for a deleted object and for an object that it may not read.
    let doubtful = match &faces {
        Err(Outcome::Failed(failure)) => failure.code == detect::UNREADABLE,
        _ => object.version.is_none(),
    };
    if doubtful {
        object::confirm(upload, &object, services, progress).await?;
    }
    let items = source.items(faces?);
    let count = items.len();
    store::write(&settings.table, items, services, progress).await.map_err(Outcome::Failed)?;
    Ok(count)
}

fn expiry(time: DateTime, days: u32) -> i64 {
    time.secs().saturating_add(i64::from(days) * 24 * 60 * 60)
}

fn rejected(code: &str, message: String) -> Outcome {
    Outcome::Failed(Failure { step: Step::Event, code: code.to_owned(), message, retryable: false })
}

/// Removes the bucket and the key from AWS's message unless the settings allow logging them.
fn redact(mut outcome: Outcome, upload: &Upload, settings: &Settings) -> Outcome {
    if let Outcome::Failed(failure) = &mut outcome
        && !settings.log_keys
    {
        failure.message = failure.message.replace(&upload.key, "(key)").replace(&upload.bucket, "(bucket)");
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

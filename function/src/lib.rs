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
        took: Duration::ZERO,
        detect_took: None,
    };
    match record.notification {
        Err(malformed) => report.outcome = process::rejected("MalformedRecord", malformed.to_string()),
        Ok(notification) => {
            let progress = Progress::new();
            let cx = Context { services, settings, progress: &progress, step: Step::Event };
            // `timeout_at` polls the work before it checks the time, so it would send a request after the deadline.
            let result = if start < end {
                tokio::time::timeout_at(end.into(), process::process(cx, &notification)).await.ok()
            } else {
                None
            };
            let outcome = result.unwrap_or_else(|| Outcome::Failed(progress.out_of_time()));
            report.outcome = redact(outcome, &notification, settings);
            report.id = progress.id();
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

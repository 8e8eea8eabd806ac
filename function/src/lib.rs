//! The Lambda function: one row in the table for every face in an uploaded picture.
//!
//! [`handle`] is the whole behaviour: each record of an event is [decoded](event), its object inspected, its faces detected,
//! their rows written at once, and its end [reported](outcome). `main.rs` adds nothing but Lambda's runtime.
//!
//! Invariants:
//! - No input panics. A record that cannot be read fails alone.
//! - A record whose failure a later attempt can mend fails the invocation, since S3 reads no reply: that is what [`Report::error_type`] is for.
//! - Delivered twice, at once or later, an event gives the same rows.

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

/// How many records of one event are in the works at a time. S3 sends one; other senders send more.
const SIDE_BY_SIDE: usize = 8;

/// One call of the function by Lambda.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of the call, for the log.
    pub request_id: String,
    /// When Lambda ends the function, come what may.
    pub deadline: SystemTime,
}

/// Processes every record of an event, side by side, and says how each ended.
pub async fn handle(event: &Value, services: &Services, settings: &Settings, invocation: &Invocation) -> Report {
    let budget = invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let end = Instant::now() + budget.saturating_sub(settings.patience.margin);
    let records = event::decode(event).unwrap_or_else(|malformed| vec![Err(malformed)]);
    let mut records: Vec<_> = stream::iter(records.into_iter().enumerate())
        .map(async |(place, record)| (place, process(record, services, settings, end).await))
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    records.sort_unstable_by_key(|(place, _)| *place);
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
            // A time limit would let the work begin before it looks at the clock.
            let ended = if start < end {
                let work = work(&upload, services, settings, &progress, &mut report.id);
                tokio::time::timeout_at(end.into(), work).await.ok()
            } else {
                None
            };
            let outcome = match ended {
                Some(Ok(faces)) => Outcome::Stored { faces },
                Some(Err(outcome)) => outcome,
                None => Outcome::Failed(progress.out_of_time()),
            };
            report.outcome = discreet(outcome, &upload, settings);
            report.extension = extension(&upload.key);
            report.detect_took = progress.detect_took();
            report.object = settings.log_keys.then_some((upload.bucket, upload.key));
        }
    }
    report.took = start.elapsed();
    report
}

/// The steps of one record, in their order. The number of rows written, or how else it ended.
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
        let message = format!("the event is from {region}, the function runs in {}", settings.region);
        return Err(rejected("WrongRegion", message));
    }
    // The event's own words go before S3's, so that each delivery names the same rows.
    let name = |content: Option<String>| Some(record::id(settings.partition(), &upload.bucket, &upload.key, &content?));
    *id = name(content(upload.version.as_deref(), upload.etag.as_deref()));
    let object = object::inspect(upload, services, progress).await?;
    if id.is_none() {
        *id = name(content(object.version.as_deref(), object.etag.as_deref()));
    }
    let id = id
        .as_deref()
        .ok_or_else(|| rejected("Nameless", "neither event nor S3 gives a version or an entity tag".to_owned()))?;
    let time = upload.time.or(object.modified).unwrap_or_else(|| SystemTime::now().into());
    let source = Source {
        id,
        bucket: &upload.bucket,
        key: &upload.key,
        version: object.version.as_deref(),
        time: Some(time),
        expires_at: settings.retention_days.map(|days| expiry(time, days)),
    };
    let asked = Instant::now();
    let faces = detect::faces(upload, &object, services, progress).await;
    progress.detected_in(asked.elapsed());
    // Rekognition takes no entity tag, so where there is no version to name, what it says may be of newer bytes than were inspected. And it says
    // the same of an object that has gone meanwhile and of one that it may not read.
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

/// Takes bucket and key out of AWS's words, unless they may be logged.
fn discreet(mut outcome: Outcome, upload: &Upload, settings: &Settings) -> Outcome {
    if let Outcome::Failed(failure) = &mut outcome
        && !settings.log_keys
    {
        failure.message = failure.message.replace(&upload.key, "(key)").replace(&upload.bucket, "(bucket)");
    }
    outcome
}

/// Kinds of files that people upload beside the two that Rekognition takes.
const EXTENSIONS: [&str; 18] = [
    "jpg", "jpeg", "png", "avif", "bmp", "gif", "heic", "heif", "json", "mov", "mp4", "pdf", "svg", "tif", "tiff",
    "txt", "webp", "zip",
];

/// A key's extension if it is a common one; any other could be a part of somebody's name.
fn extension(key: &str) -> Option<String> {
    let extension = key.rsplit_once('.')?.1.to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str()).then_some(extension)
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_extension_is_a_kind_of_file_and_no_name() {
        for (key, expected) in
            [("a/b.JPG", Some("jpg")), ("jane.smith", None), ("a.b/c", None), ("png", None), ("x.", None)]
        {
            assert_eq!(super::extension(key).as_deref(), expected, "{key}");
        }
    }
}

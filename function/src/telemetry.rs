//! The function's log: one line of JSON per record, which also contains the metrics.
//!
//! Invariant: a line contains no bucket, key, or face unless the settings allow it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value, json};

use crate::outcome::Outcome;
use crate::report::{RecordReport, Report};
use crate::settings::Settings;

/// The namespace of the metrics in CloudWatch.
pub const NAMESPACE: &str = "FaceRecognition";

/// The log lines of a report, each terminated by a newline.
#[must_use]
pub fn lines(report: &Report, request_id: &str, settings: &Settings, now: SystemTime) -> String {
    let mut lines = String::new();
    for record in &report.records {
        let _ = writeln!(lines, "{}", line(record, request_id, settings, now));
    }
    lines
}

/// The log line that says why the function stops.
#[must_use]
pub fn fatal(reason: &str, now: SystemTime) -> String {
    let line = json!({ "timestamp": timestamp(now), "level": "FATAL", "message": reason });
    format!("{line}\n")
}

/// Writes lines to standard output, where Lambda collects them. A closed output does not fail the invocation.
pub fn write(lines: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
}

/// The format of times in log lines.
pub(crate) fn timestamp(now: SystemTime) -> String {
    DateTime::from(now).fmt(Format::DateTime).unwrap_or_default()
}

fn line(record: &RecordReport, request_id: &str, settings: &Settings, now: SystemTime) -> Value {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), timestamp(now).into());
    let level = match record.outcome {
        Outcome::Stored { .. } | Outcome::NoFace | Outcome::Erased | Outcome::Skipped { .. } => "INFO",
        Outcome::Unusable { .. } => "WARN",
        Outcome::Failed(_) => "ERROR",
    };
    line.insert("level".to_owned(), level.into());
    line.insert("requestId".to_owned(), request_id.into());
    line.extend(record.members());
    if let Some(took) = record.detect_took {
        line.insert("detectMs".to_owned(), millis(took).into());
    }
    metrics(&mut line, record, settings, now);
    line.into()
}

/// Adds the metrics in CloudWatch's embedded metric format: their definition and, as members of the line, their values.
fn metrics(line: &mut Map<String, Value>, record: &RecordReport, settings: &Settings, now: SystemTime) {
    let mut values = vec![("RecordLatency", "Milliseconds", millis(record.took))];
    // Each line counts its own outcome as 1 and all others as 0, so that a ratio of two metrics always has both values.
    let count = |hit: bool| u64::from(hit);
    let stored = if let Outcome::Stored { faces } = record.outcome { faces as u64 } else { 0 };
    values.push(("FacesStored", "Count", stored));
    values.push(("NoFace", "Count", count(record.outcome == Outcome::NoFace)));
    values.push(("Unusable", "Count", count(matches!(record.outcome, Outcome::Unusable { .. }))));
    values.push(("Failed", "Count", count(matches!(record.outcome, Outcome::Failed(_)))));
    let definitions: Vec<_> = values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let definition = json!({ "Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": definitions });
    let epoch = DateTime::from(now).to_millis().unwrap_or_default();
    line.insert("_aws".to_owned(), json!({ "Timestamp": epoch, "CloudWatchMetrics": [definition] }));
    line.insert("FunctionName".to_owned(), settings.function_name.as_str().into());
    line.extend(values.into_iter().map(|(name, _, value)| (name.to_owned(), value.into())));
}

fn millis(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

//! Decodes events into notifications, as leniently as is safe.
//!
//! An event is an S3 notification, S3's test event, an `aws.s3` event of EventBridge, an SNS message that contains one
//! of these, or an SQS batch whose messages contain any of these.
//!
//! Invariant: a malformed record never affects another one. A key is decoded exactly once if S3 sent it and never if
//! EventBridge did.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use percent_encoding::percent_decode;
use serde_json::Value;

use crate::notification::{Change, Malformed, Notification};

/// The maximum number of records in an event. S3 sends one. Each record costs memory and a log line, hence the limit.
const MAX_RECORDS: usize = 1_000;

/// The maximum number of messages that an event is nested in: for example EventBridge in SNS in SQS is nested in two.
const MAX_WRAPPERS: usize = 3;

/// A decoded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The records in the order of the event.
    pub records: Vec<Record>,
    /// Whether the event is an SQS batch, which can fail in part.
    pub is_batch: bool,
}

/// One record of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The SQS message that contains the record.
    pub message_id: Option<String>,
    /// What the record says.
    pub notification: Result<Notification, Malformed>,
}

/// Decodes an event. An event that is malformed as a whole has one malformed record.
#[must_use]
pub fn decode(event: &Value) -> Event {
    let messages = event["Records"].as_array().filter(|records| records.first().is_some_and(is_message));
    let Some(messages) = messages else {
        let record = |notification| Record { message_id: None, notification };
        let records = limited(notifications(event, 0), 0).into_iter().map(record).collect();
        return Event { records, is_batch: false };
    };
    let mut records = Vec::new();
    for message in messages {
        let message_id = text(&message["messageId"], "messageId").ok().flatten();
        let notifications = limited(wrapped(&message["body"], "body", 0), records.len());
        records.extend(
            notifications.into_iter().map(|notification| Record { message_id: message_id.clone(), notification }),
        );
    }
    Event { records, is_batch: true }
}

fn is_message(record: &Value) -> bool {
    record["eventSource"] == "aws:sqs"
}

/// Replaces records that exceed the limit by one malformed record. `before` records came before them.
fn limited(records: Vec<Result<Notification, Malformed>>, before: usize) -> Vec<Result<Notification, Malformed>> {
    let count = before + records.len();
    if count > MAX_RECORDS { vec![Err(Malformed::TooMany { count, limit: MAX_RECORDS })] } else { records }
}

/// Decodes a document that is nested in `wrappers` messages.
fn notifications(document: &Value, wrappers: usize) -> Vec<Result<Notification, Malformed>> {
    match &document["Records"] {
        Value::Array(records) => {
            let decode = |record: &Value| match &record["Sns"] {
                Value::Object(_) => wrapped(&record["Sns"]["Message"], "Sns.Message", wrappers),
                _ => vec![s3_record(record)],
            };
            records.iter().flat_map(decode).collect()
        }
        // S3 sends this when a notification is configured.
        _ if document["Event"] == "s3:TestEvent" => Vec::new(),
        // SNS puts its messages into SQS in this form.
        _ if document["Type"] == "Notification" => wrapped(&document["Message"], "Message", wrappers),
        _ if document["source"] == "aws.s3" => vec![eventbridge_event(document)],
        _ => vec![Err(Malformed::Unrecognized)],
    }
}

/// Decodes the document in the text of a message that is itself nested in `wrappers` messages.
fn wrapped(message: &Value, name: &'static str, wrappers: usize) -> Vec<Result<Notification, Malformed>> {
    if wrappers == MAX_WRAPPERS {
        return vec![Err(Malformed::TooDeep(MAX_WRAPPERS))];
    }
    let Some(message) = message.as_str() else { return vec![Err(Malformed::Member(name))] };
    match serde_json::from_str(message) {
        Ok(document) => notifications(&document, wrappers + 1),
        Err(_) => vec![Err(Malformed::NotJson)],
    }
}

/// Decodes a record of an S3 notification. Members that only describe the event may be missing or unusual.
fn s3_record(record: &Value) -> Result<Notification, Malformed> {
    let object = &record["s3"]["object"];
    let encoded = required(&object["key"], "s3.object.key")?;
    Ok(Notification {
        change: record["eventName"].as_str().map_or(Change::Created, change),
        region: lenient(&record["awsRegion"]),
        bucket: required(&record["s3"]["bucket"]["name"], "s3.bucket.name")?,
        key: decode_key(&encoded)?,
        version: text(&object["versionId"], "s3.object.versionId")?,
        etag: etag(&object["eTag"], "s3.object.eTag")?,
        time: time(&record["eventTime"]),
    })
}

/// Decodes an event of EventBridge, whose members have names of their own.
fn eventbridge_event(event: &Value) -> Result<Notification, Malformed> {
    let object = &event["detail"]["object"];
    Ok(Notification {
        change: match event["detail-type"].as_str() {
            Some("Object Created") => Change::Created,
            Some("Object Deleted") => Change::Removed,
            _ => Change::Other,
        },
        region: lenient(&event["region"]),
        bucket: required(&event["detail"]["bucket"]["name"], "detail.bucket.name")?,
        key: required(&object["key"], "detail.object.key")?,
        version: text(&object["version-id"], "detail.object.version-id")?,
        etag: etag(&object["etag"], "detail.object.etag")?,
        time: time(&event["time"]),
    })
}

/// What an S3 event name means. A name is empty only in events that other programs send to report an upload.
fn change(name: &str) -> Change {
    let name = name.trim_start_matches("s3:");
    let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if name.is_empty() || is(&["ObjectCreated:"]) {
        Change::Created
    } else if is(&["ObjectRemoved:", "LifecycleExpiration:"]) {
        Change::Removed
    } else {
        Change::Other
    }
}

/// A string that may be missing or empty. A wrong type is an error, so that it never identifies another object.
fn text(value: &Value, name: &'static str) -> Result<Option<String>, Malformed> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        _ => Err(Malformed::Member(name)),
    }
}

fn required(value: &Value, name: &'static str) -> Result<String, Malformed> {
    text(value, name)?.ok_or(Malformed::Member(name))
}

fn etag(value: &Value, name: &'static str) -> Result<Option<String>, Malformed> {
    Ok(text(value, name)?.map(|etag| unquoted(&etag).to_owned()).filter(|etag| !etag.is_empty()))
}

fn lenient(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn time(value: &Value) -> Option<DateTime> {
    DateTime::from_str(value.as_str()?, Format::DateTimeWithOffset).ok()
}

/// Decodes `+` to a space first and then `%XX`, once. A `%` that does not start an escape sequence is kept.
fn decode_key(encoded: &str) -> Result<String, Malformed> {
    let spaced = encoded.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().map(Into::into).map_err(|_| Malformed::Key)
}

/// An entity tag without the quotes that it has in headers.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}

#[cfg(test)]
mod tests;

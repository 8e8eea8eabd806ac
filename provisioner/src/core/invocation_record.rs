//! Reads the messages in a failure queue.
//!
//! Pure. A message is an invocation record of Lambda, which contains the event as `requestPayload`, or an event itself:
//! one of the backfill queue, or one that an EventBridge rule could not deliver.

use serde::Serialize;
use serde_json::Value;

/// Why a message has no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NotARecord {
    /// The message is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// The message is neither a record nor an event.
    #[error("it is neither a record of Lambda nor an event about a picture")]
    NoPayload,
    /// The `requestPayload` is not an object.
    #[error("its `requestPayload` is not an event")]
    NotAnEvent,
}

/// Returns the event of a message as JSON text.
pub fn event(message: &str) -> Result<String, NotARecord> {
    let document: Value = serde_json::from_str(message).map_err(|_| NotARecord::NotJson)?;
    match document.get("requestPayload") {
        Some(payload) if payload.is_object() => Ok(payload.to_string()),
        Some(_) => Err(NotARecord::NotAnEvent),
        None if is_event(&document) => Ok(document.to_string()),
        None => Err(NotARecord::NoPayload),
    }
}

/// Whether the function understands a document as an event: an S3 notification, or what SNS or EventBridge sends.
fn is_event(document: &Value) -> bool {
    let has_records = document["Records"].as_array().is_some_and(|records| !records.is_empty());
    has_records || document["source"] == "aws.s3" || document["Type"] == "Notification"
}

/// Whether an event is a batch of SQS, which the function understands only if Lambda sends it.
#[must_use]
pub fn is_batch(event: &str) -> bool {
    let document: Value = serde_json::from_str(event).unwrap_or_default();
    document["Records"][0]["eventSource"] == "aws:sqs"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_message_has_an_event() {
        for (record, expected) in [
            (
                r#"{"version":"1.0","requestContext":{"condition":"RetriesExhausted"},"requestPayload":{"Records":[{"a":1}]},"responsePayload":{}}"#,
                Ok(r#"{"Records":[{"a":1}]}"#),
            ),
            // A message of the backfill queue, and what EventBridge and SNS send.
            (r#"{"Records":[{"s3":{}}]}"#, Ok(r#"{"Records":[{"s3":{}}]}"#)),
            (
                r#"{"source":"aws.s3","detail-type":"Object Created"}"#,
                Ok(r#"{"source":"aws.s3","detail-type":"Object Created"}"#),
            ),
            (r#"{"Type":"Notification","Message":"{}"}"#, Ok(r#"{"Type":"Notification","Message":"{}"}"#)),
            (r#"{"Records":[]}"#, Err(NotARecord::NoPayload)),
            (r#"{"Records":"x"}"#, Err(NotARecord::NoPayload)),
            (r#"{"source":"aws.ec2"}"#, Err(NotARecord::NoPayload)),
            ("[]", Err(NotARecord::NoPayload)),
            ("7", Err(NotARecord::NoPayload)),
            (r#"{"requestPayload":"x"}"#, Err(NotARecord::NotAnEvent)),
            ("hello", Err(NotARecord::NotJson)),
            ("", Err(NotARecord::NotJson)),
        ] {
            assert_eq!(event(record).as_deref(), expected.as_deref(), "{record}");
        }
    }

    #[test]
    fn a_batch_is_recognized() {
        assert!(is_batch(r#"{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}"#));
        assert!(!is_batch(r#"{"Records":[{"eventSource":"aws:s3"}]}"#));
    }
}

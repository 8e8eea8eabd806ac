//! Reads the invocation records that Lambda writes to a failure queue.
//!
//! Pure. A record contains the event as `requestPayload`; a retry needs nothing else.

use serde::Serialize;
use serde_json::Value;

/// Why a message is not an invocation record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NotARecord {
    /// The message is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// The message has no `requestPayload`.
    #[error("it has no `requestPayload`, so Lambda did not write it")]
    NoPayload,
    /// The `requestPayload` is not an object.
    #[error("its `requestPayload` is not an event")]
    NotAnEvent,
}

/// Returns the event of an invocation record as JSON text.
pub fn event(record: &str) -> Result<String, NotARecord> {
    let document: Value = serde_json::from_str(record).map_err(|_| NotARecord::NotJson)?;
    match document.get("requestPayload") {
        Some(payload) if payload.is_object() => Ok(payload.to_string()),
        Some(_) => Err(NotARecord::NotAnEvent),
        None => Err(NotARecord::NoPayload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_invocation_record_has_an_event() {
        for (record, expected) in [
            (
                r#"{"version":"1.0","requestContext":{"condition":"RetriesExhausted"},"requestPayload":{"Records":[{"a":1}]},"responsePayload":{}}"#,
                Ok(r#"{"Records":[{"a":1}]}"#),
            ),
            (r#"{"Records":[]}"#, Err(NotARecord::NoPayload)),
            (r#"{"requestPayload":"x"}"#, Err(NotARecord::NotAnEvent)),
            ("hello", Err(NotARecord::NotJson)),
            ("", Err(NotARecord::NotJson)),
        ] {
            assert_eq!(event(record).as_deref(), expected.as_deref(), "{record}");
        }
    }
}

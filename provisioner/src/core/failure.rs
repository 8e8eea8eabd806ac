//! What Lambda writes into a failure queue, and the event in it.
//!
//! Pure. An invocation record carries the event as `requestPayload`, and nothing else of it is needed to try again.

/// The event of a record, as JSON text.
///
/// # Errors
/// Why there is none, as a clause.
pub fn event(record: &str) -> Result<String, &'static str> {
    let document: serde_json::Value = serde_json::from_str(record).map_err(|_| "it is not JSON")?;
    match document.get("requestPayload") {
        Some(payload) if payload.is_object() => Ok(payload.to_string()),
        Some(_) => Err("its `requestPayload` is no event"),
        None => Err("it has no `requestPayload`, so Lambda did not write it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_of_lambda_has_an_event() {
        for (record, expected) in [
            (
                r#"{"version":"1.0","requestContext":{"condition":"RetriesExhausted"},"requestPayload":{"Records":[{"a":1}]},"responsePayload":{}}"#,
                Ok(r#"{"Records":[{"a":1}]}"#),
            ),
            (r#"{"Records":[]}"#, Err("it has no `requestPayload`, so Lambda did not write it")),
            (r#"{"requestPayload":"x"}"#, Err("its `requestPayload` is no event")),
            ("hello", Err("it is not JSON")),
            ("", Err("it is not JSON")),
        ] {
            assert_eq!(event(record).as_deref(), expected.as_deref(), "{record}");
        }
    }
}

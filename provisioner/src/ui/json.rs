//! Events as NDJSON: one object per line, `{"v":1,"type":…}`.
//!
//! Invariant: `v` changes only if the meaning of a field changes; fields and types may be added at any time.

use serde_json::{Value, json};

use crate::core::event::Event;

/// The schema of a line, which a test generates from the types of the events.
pub const SCHEMA: &str = include_str!("json/schema.json");

/// Renders an event as one line, without the line end.
pub(super) fn line(region: Option<&str>, event: &Event) -> String {
    let mut document = json!({"v": 1});
    if let Some(region) = region {
        document["region"] = Value::from(region);
    }
    if let (Some(document), Ok(Value::Object(fields))) = (document.as_object_mut(), serde_json::to_value(event)) {
        document.extend(fields);
    }
    document.to_string()
}

#[cfg(test)]
mod tests;

//! Events as NDJSON: one object per line, `{"v":1,"type":…}`.
//!
//! Invariant: `v` changes only if the meaning of a field changes; fields and types may be added at any time.

use serde_json::{Value, json};

use crate::core::event::Event;

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
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_version_and_a_type() {
        let event = Event::Result { ok: false, exit_code: 3 };
        assert_eq!(line(None, &event), r#"{"v":1,"type":"result","ok":false,"exit_code":3}"#);
        assert_eq!(
            line(Some("eu-west-1"), &Event::NoChanges { stack: "s".into() }),
            r#"{"v":1,"region":"eu-west-1","type":"no_changes","stack":"s"}"#
        );
    }
}

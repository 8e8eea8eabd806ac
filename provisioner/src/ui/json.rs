//! Events as NDJSON: `{"v":1,"type":…}`, one a line.
//!
//! Invariant: `v` changes only when a field changes its meaning; new fields and types may come at any time.

use serde_json::{Value, json};

use crate::core::event::Event;

/// One line, without its end.
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
    fn every_line_has_version_and_type() {
        let event = Event::Result { ok: false, exit_code: 3 };
        assert_eq!(line(None, &event), r#"{"v":1,"type":"result","ok":false,"exit_code":3}"#);
        assert_eq!(
            line(Some("eu-west-1"), &Event::NoChanges { stack: "s".into() }),
            r#"{"v":1,"region":"eu-west-1","type":"no_changes","stack":"s"}"#
        );
    }
}

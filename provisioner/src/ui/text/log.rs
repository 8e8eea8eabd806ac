//! Lines of the function's log: a record's time, outcome, picture, faces, duration and reason.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::table::line as columns;
use super::words::{FAINT, noun};
use crate::core::moment;
use crate::core::pictures::{outcome, reason};

/// Whether only `--verbose` shows a line: Lambda's own lines about starts, ends and metrics.
pub(super) fn is_detail(line: &str) -> bool {
    const PLATFORM: [&str; 8] =
        ["START ", "END ", "REPORT ", "INIT_START ", "INIT_REPORT ", "EXTENSION\t", "TELEMETRY\t", "XRAY "];
    if PLATFORM.iter().any(|start| line.starts_with(start)) {
        return true;
    }
    object(line).is_some_and(|fields| {
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
        // Without an outcome and a message, metrics are all that a line has.
        kind.starts_with("platform.")
            || (fields.contains_key("_aws") && !fields.contains_key("outcome") && !fields.contains_key("message"))
    })
}

/// A record's line in columns; any other line with its time.
pub(super) fn log(at: i64, line: &str, verbose: bool) -> String {
    let time = moment::utc(at);
    let Some(fields) = object(line) else { return format!("{time}  {line}") };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    if text("outcome").is_empty() && text("message").is_empty() {
        return format!("{time}  {}", all(&fields));
    }
    let result =
        if text("outcome").is_empty() { text("level").to_lowercase() } else { outcome(text("outcome")).to_owned() };
    // Unless `LogKeys` is on, the log names a picture by the first digits of its rows' `FaceID`.
    let picture = match (text("key"), text("id")) {
        ("", id) => id.chars().take(12).collect(),
        (key, _) => key.to_owned(),
    };
    let faces = match number("faces").and_then(|count| usize::try_from(count).ok()) {
        Some(count) if count > 0 => format!("{count} {}", noun(count, "face")),
        _ => String::new(),
    };
    let duration = number("RecordLatency").map(|millis| format!("{millis} ms")).unwrap_or_default();
    let because = match (text("code"), text("message")) {
        (code, "") => reason(code).to_owned(),
        ("", message) => message.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let mut shown = columns(&[(time, 20), (result, 8), (picture, 24), (faces, 8), (duration, 8), (because, 0)]);
    if verbose {
        let _ = write!(shown, "  {}", all(&fields));
    }
    shown
}

fn object(line: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

/// Every field as `name=value`.
fn all(fields: &Map<String, Value>) -> String {
    let field = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{FAINT}{name}={FAINT:#}{text}"),
        other => format!("{FAINT}{name}={FAINT:#}{other}"),
    };
    fields.iter().filter(|(name, _)| *name != "_aws").map(field).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_in_columns() {
        for (line, expected) in [
            (
                r#"{"outcome":"stored","id":"0123456789abcdef","faces":2,"RecordLatency":140,"_aws":{}}"#,
                "1970-01-01T00:00:01Z  stored    0123456789ab              2 faces   140 ms",
            ),
            (
                r#"{"outcome":"no_face","key":"写真.jpg","faces":0,"RecordLatency":99}"#,
                "1970-01-01T00:00:01Z  no face   写真.jpg                            99 ms",
            ),
            (
                r#"{"outcome":"unusable","key":"a.jpg","code":"InvalidImageFormatException"}"#,
                "1970-01-01T00:00:01Z  unusable  a.jpg                                         not a JPEG or PNG picture",
            ),
            (
                r#"{"level":"FATAL","message":"no table"}"#,
                "1970-01-01T00:00:01Z  fatal                                                   no table",
            ),
            ("Unknown application error occurred", "1970-01-01T00:00:01Z  Unknown application error occurred"),
            ("[1, 2]", "1970-01-01T00:00:01Z  [1, 2]"),
        ] {
            assert_eq!(log(1_000, line, false), expected);
        }
    }

    #[test]
    fn only_verbose_output_has_the_lines_of_lambda() {
        for (line, expected) in [
            ("START RequestId: 1 Version: $LATEST", true),
            ("END RequestId: 1", true),
            ("REPORT RequestId: 1\tDuration: 2 ms", true),
            (r#"{"time":"x","type":"platform.report","record":{}}"#, true),
            (r#"{"_aws":{},"RecordLatency":1}"#, true),
            (r#"{"_aws":{},"outcome":"stored"}"#, false),
            (r#"{"level":"FATAL","message":"x"}"#, false),
            ("RESTART of the moon", false),
            ("", false),
        ] {
            assert_eq!(is_detail(line), expected, "{line}");
        }
    }
}

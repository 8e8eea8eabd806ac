//! The rows that the smoke test expects for a picture, and how it describes differences.
//!
//! Pure. The FaceID is computed from its specification, independently of the function's code; otherwise the comparison
//! would prove nothing.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::names::hex;

/// A DynamoDB attribute of one of the types that rows use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Attribute {
    /// `S`
    Text(String),
    /// `N`, with the digits as received
    Number(String),
    /// `BOOL`
    Bool(bool),
    /// `M`
    Map(BTreeMap<String, Attribute>),
    /// Any other type, by its name
    Other(&'static str),
}

/// Where the pictures of smoke tests are, below the key prefix of the system.
pub const TEST_PREFIX: &str = "provisioner-smoke/";

/// No smoke test runs for an hour: its time-out is 90 seconds per picture unless the user sets another one.
const ABANDONED_AFTER_MILLIS: i64 = 3_600_000;

/// Whether a picture belongs to a smoke test that began at least an hour ago. `rest` is its key without the prefix: the
/// time at which the test began, in milliseconds since the Unix epoch, then `/` and a name.
#[must_use]
pub fn is_abandoned(rest: &str, now_millis: i64) -> bool {
    let began = rest.split_once('/').and_then(|(began, _)| began.parse::<i64>().ok());
    began.is_some_and(|began| began.saturating_add(ABANDONED_AFTER_MILLIS) <= now_millis)
}

/// A row of the table.
pub type Row = BTreeMap<String, Attribute>;

/// The picture whose rows are expected.
#[derive(Clone, Debug)]
pub struct Picture {
    /// `aws`, `aws-us-gov`, …
    pub partition: String,
    /// The bucket's name.
    pub bucket: String,
    /// The key, not encoded.
    pub key: String,
    /// The version id if the bucket is versioned.
    pub version: Option<String>,
    /// The entity tag without quotes.
    pub etag: String,
}

impl Picture {
    /// What identifies the content: the version, or the entity tag.
    #[must_use]
    pub fn content(&self) -> String {
        self.version.clone().unwrap_or_else(|| format!("etag:{}", self.etag))
    }

    /// The FaceID of the picture's face with this rank: 32 hexadecimal digits, `#`, three digits.
    #[must_use]
    pub fn face_id(&self, rank: usize) -> String {
        let version = self.content();
        let mut hash = Sha256::new();
        for part in ["v1", &self.partition, &self.bucket, &self.key, &version] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        format!("{}#{rank:03}", &hex(&hash.finalize())[..32])
    }
}

/// The outcome of a picture, according to the function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its rows are in the table.
    Stored,
    /// It has no rows, for this reason: `no_face`, `unusable` or `skipped`.
    Without {
        /// `no_face`, `unusable` or `skipped`.
        outcome: String,
        /// The code that the function gives as the reason.
        reason: Option<String>,
    },
    /// This attempt failed.
    Failed,
}

/// Reads the outcome of a picture from a line of the function's log; `None` if the line is about something else.
#[must_use]
pub fn outcome(line: &str, picture: &Picture) -> Option<Outcome> {
    let document: serde_json::Value = serde_json::from_str(line).ok()?;
    if document["id"].as_str()? != &picture.face_id(0)[..32] {
        return None;
    }
    Some(match document["outcome"].as_str()? {
        "stored" => Outcome::Stored,
        "failed" => Outcome::Failed,
        other => {
            Outcome::Without { outcome: other.to_owned(), reason: document["code"].as_str().map(ToOwned::to_owned) }
        }
    })
}

/// Why something failed, according to a line of the function's log; `None` if the line is only about starts, ends, and
/// metrics.
#[must_use]
pub fn cause(line: &str) -> Option<String> {
    const PLATFORM: [&str; 6] = ["START ", "END ", "REPORT ", "INIT_START ", "INIT_REPORT ", "XRAY "];
    let Ok(serde_json::Value::Object(record)) = serde_json::from_str(line) else {
        let is_platform = line.trim().is_empty() || PLATFORM.iter().any(|start| line.starts_with(start));
        return (!is_platform).then(|| line.trim().to_owned());
    };
    let text = |name: &str| record.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    let why = match (text("code"), text("message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => return None,
    };
    Some(text("step").map_or_else(|| why.clone(), |step| format!("{why} (in step `{step}`)")))
}

/// Compares the rows of a picture with the specification and describes each difference.
#[must_use]
pub fn differences(picture: &Picture, rows: &[Row], faces: usize) -> Vec<String> {
    let mut differences = Vec::new();
    if rows.len() != faces {
        differences.push(format!("{} rows instead of {faces}", rows.len()));
    }
    for (rank, row) in rows.iter().enumerate() {
        for difference in row_differences(picture, row, rank, faces) {
            differences.push(format!("row {rank}: {difference}"));
        }
    }
    differences
}

fn row_differences(picture: &Picture, row: &Row, rank: usize, faces: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |name: &str, wanted: &str, good: bool| {
        if !good {
            found.push(match row.get(name) {
                Some(value) => format!("`{name}` is {}, expected {wanted}", show(value)),
                None => format!("`{name}` is missing, expected {wanted}"),
            });
        }
    };
    let text = |name: &str| match row.get(name) {
        Some(Attribute::Text(value)) => Some(value.as_str()),
        _ => None,
    };
    let number = |name: &str| match row.get(name) {
        Some(Attribute::Number(value)) => value.parse::<f64>().ok().filter(|n| n.is_finite()),
        _ => None,
    };
    let percentage = |name: &str| number(name).is_some_and(|n| (0.0..=100.0).contains(&n));

    let id = picture.face_id(rank);
    expect("FaceID", &format!("S `{id}`"), text("FaceID") == Some(&id));
    let (low, high) = (number("AgeLow"), number("AgeHigh"));
    expect("AgeLow", "N from 0 to AgeHigh", low.is_some_and(|l| l >= 0.0 && high.is_some_and(|h| l <= h)));
    expect("AgeHigh", "N", high.is_some());
    let age = low.zip(high).map(|(l, h)| format!("{l}-{h}"));
    expect("Age", "S `low-high`", age.is_some() && text("Age") == age.as_deref());
    expect("Emotion", "S with a type of emotion", text("Emotion").is_some_and(|e| !e.is_empty()));
    expect("EmotionConfidence", "N from 0 to 100", percentage("EmotionConfidence"));
    expect("Confidence", "N from 0 to 100", percentage("Confidence"));
    expect("BoundingBox", "M with four N", matches!(row.get("BoundingBox"), Some(Attribute::Map(map)) if is_box(map)));
    expect("FaceCount", &format!("N {faces}"), number("FaceCount").is_some_and(|n| n.to_string() == faces.to_string()));
    expect("Bucket", &format!("S `{}`", picture.bucket), text("Bucket") == Some(&picture.bucket));
    expect("Key", &format!("S `{}`", picture.key), text("Key") == Some(&picture.key));
    if let Some(version) = &picture.version {
        expect("VersionId", &format!("S `{version}`"), text("VersionId") == Some(version));
    }
    expect("EventTime", "S with a time", text("EventTime").is_some_and(|t| t.len() >= 20 && t.as_bytes()[10] == b'T'));
    found
}

fn is_box(map: &BTreeMap<String, Attribute>) -> bool {
    ["Left", "Top", "Width", "Height"]
        .iter()
        .all(|side| matches!(map.get(*side), Some(Attribute::Number(n)) if n.parse::<f64>().is_ok_and(f64::is_finite)))
}

fn show(value: &Attribute) -> String {
    match value {
        Attribute::Text(text) => format!("S `{text}`"),
        Attribute::Number(digits) => format!("N {digits}"),
        Attribute::Bool(value) => format!("BOOL {value}"),
        Attribute::Map(map) => format!("M with {} members", map.len()),
        Attribute::Other(kind) => format!("of type {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_pictures_of_smoke_tests_are_abandoned() {
        let now = 1_800_000_000_000;
        for (rest, expected) in [
            ("1799996400000/håll i + face.jpg", true),
            ("1799996400001/håll i + face.jpg", false),
            ("1800000000000/face.jpg", false),
            ("1900000000000/face.jpg", false),
            ("holiday/face.jpg", false),
            ("1799996400000", false),
            ("", false),
        ] {
            assert_eq!(is_abandoned(rest, now), expected, "{rest}");
        }
    }

    fn picture() -> Picture {
        Picture {
            partition: "aws".into(),
            bucket: "b".into(),
            key: "a b+ü.jpg".into(),
            version: None,
            etag: "e".into(),
        }
    }

    fn good_row(picture: &Picture) -> Row {
        let text = |v: &str| Attribute::Text(v.into());
        let number = |v: &str| Attribute::Number(v.into());
        let sides = ["Left", "Top", "Width", "Height"].map(|side| (side.to_owned(), number("0.25")));
        BTreeMap::from(
            [
                ("FaceID", text(&picture.face_id(0))),
                ("Age", text("26-43")),
                ("AgeLow", number("26")),
                ("AgeHigh", number("43")),
                ("Emotion", text("CALM")),
                ("EmotionConfidence", number("99.5")),
                ("Confidence", number("99.9")),
                ("BoundingBox", Attribute::Map(BTreeMap::from(sides))),
                ("FaceCount", number("1")),
                ("Bucket", text("b")),
                ("Key", text("a b+ü.jpg")),
                ("EventTime", text("2026-11-23T10:00:00.000Z")),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        )
    }

    #[test]
    fn a_correct_row_has_no_differences() {
        let picture = picture();
        assert_eq!(differences(&picture, &[good_row(&picture)], 1), Vec::<String>::new());
    }

    #[test]
    fn every_attribute_is_checked() {
        let picture = picture();
        for name in good_row(&picture).keys() {
            let mut row = good_row(&picture);
            row.remove(name);
            let found = differences(&picture, &[row], 1);
            assert!(found.iter().any(|c| c.contains(&format!("`{name}`"))), "{name}: {found:?}");
            let mut row = good_row(&picture);
            row.insert(name.clone(), Attribute::Other("BOOL"));
            assert!(!differences(&picture, &[row], 1).is_empty(), "{name} of another type");
        }
    }

    #[test]
    fn rows_are_counted() {
        let picture = picture();
        assert_eq!(differences(&picture, &[], 1), ["0 rows instead of 1"]);
        assert!(!differences(&picture, &[good_row(&picture), good_row(&picture)], 1).is_empty());
        assert!(differences(&picture, &[], 0).is_empty());
    }

    #[test]
    fn the_outcome_is_read_from_the_lines_about_the_picture() {
        let picture = picture();
        let id = &picture.face_id(0)[..32];
        for (line, expected) in [
            (format!(r#"{{"id":"{id}","outcome":"stored"}}"#), Some(Outcome::Stored)),
            (
                format!(r#"{{"id":"{id}","outcome":"no_face"}}"#),
                Some(Outcome::Without { outcome: "no_face".into(), reason: None }),
            ),
            (format!(r#"{{"id":"{id}","outcome":"failed"}}"#), Some(Outcome::Failed)),
            (r#"{"id":"of another picture","outcome":"failed"}"#.to_owned(), None),
            (format!("REPORT {id} failed"), None),
        ] {
            assert_eq!(outcome(&line, &picture), expected, "{line}");
        }
    }

    #[test]
    fn the_cause_is_a_sentence() {
        for (line, expected) in [
            ("REPORT RequestId: 1\tDuration: 1 ms", None),
            ("", None),
            (r#"{"type":"platform.report","record":{}}"#, None),
            (r#"{"_aws":{},"RecordLatency":1}"#, None),
            ("Task timed out after 10.00 seconds\n", Some("Task timed out after 10.00 seconds")),
            (
                r#"{"outcome":"failed","code":"AccessDenied","step":"store","message":"not you","_aws":{}}"#,
                Some("AccessDenied: not you (in step `store`)"),
            ),
            (r#"{"level":"ERROR","message":"`TABLE_NAME` is empty"}"#, Some("`TABLE_NAME` is empty")),
        ] {
            assert_eq!(cause(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_version_id_replaces_the_entity_tag() {
        let versioned = Picture { version: Some("v".into()), ..picture() };
        assert_ne!(versioned.face_id(0), picture().face_id(0));
        assert!(picture().face_id(7).ends_with("#007"));
        assert_eq!(picture().face_id(0).len(), 36);
    }
}

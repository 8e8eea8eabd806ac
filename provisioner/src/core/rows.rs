//! Filters rows, and formats them for export files.
//!
//! Pure.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::smoke::{Attribute, Row};

/// A filter for rows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The prefix of the key.
    pub prefix: Option<String>,
    /// The emotion, in upper case as Rekognition writes it.
    pub emotion: Option<String>,
    /// The estimated age range reaches this age or a higher one.
    pub min_age: Option<f64>,
    /// The estimated age range reaches this age or a lower one.
    pub max_age: Option<f64>,
    /// The upload was at this time or later, in the form of `EventTime`.
    pub since: Option<String>,
}

impl Filter {
    /// Whether a row matches the filter. A row without the attribute of a condition does not match.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        let text = |name: &str| match row.get(name) {
            Some(Attribute::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let number = |name: &str| match row.get(name) {
            Some(Attribute::Number(digits)) => digits.parse::<f64>().ok(),
            _ => None,
        };
        let is = |wanted: &Option<String>, test: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(test);
        is(&self.prefix, &|prefix| text("Key").is_some_and(|key| key.starts_with(prefix)))
            && is(&self.emotion, &|emotion| text("Emotion").is_some_and(|found| found.eq_ignore_ascii_case(emotion)))
            && is(&self.since, &|since| text("EventTime").is_some_and(|time| time >= since))
            && self.min_age.is_none_or(|age| number("AgeHigh").is_some_and(|high| high >= age))
            && self.max_age.is_none_or(|age| number("AgeLow").is_some_and(|low| low <= age))
    }
}

/// The columns of a CSV file, in order; the last one has all other attributes as JSON.
pub const COLUMNS: [&str; 17] = [
    "FaceID",
    "Bucket",
    "Key",
    "VersionId",
    "EventTime",
    "Age",
    "AgeLow",
    "AgeHigh",
    "Emotion",
    "EmotionConfidence",
    "Confidence",
    "FaceCount",
    "Left",
    "Top",
    "Width",
    "Height",
    "Other",
];

/// The column that has all attributes without a column of their own.
const OTHER: usize = COLUMNS.len() - 1;

/// The attribute that has four columns.
const BOX: &str = "BoundingBox";

/// A row as the cells of [`COLUMNS`].
#[must_use]
pub fn cells(row: &Row) -> Vec<Cow<'_, str>> {
    let sides = match row.get(BOX) {
        Some(Attribute::Map(sides)) => Some(sides),
        _ => None,
    };
    let attribute = |name: &str| row.get(name).or_else(|| sides?.get(name));
    let mut cells: Vec<Cow<'_, str>> = COLUMNS[..OTHER]
        .iter()
        .map(|name| match attribute(name) {
            Some(Attribute::Text(text)) => harmless(text.into()),
            Some(Attribute::Number(digits)) => digits.into(),
            Some(other) => harmless(json(other).to_string().into()),
            None => "".into(),
        })
        .collect();
    let has_column = |name: &str| name == BOX || COLUMNS[..OTHER].contains(&name);
    let rest = row.iter().filter(|(name, _)| !has_column(name));
    let other: Map<String, Value> = rest.map(|(name, value)| (name.clone(), json(value))).collect();
    cells.push(if other.is_empty() { "".into() } else { Value::Object(other).to_string().into() });
    cells
}

/// Prevents spreadsheets from interpreting text as a formula, by an apostrophe before the characters that begin one
/// (OWASP, "CSV Injection").
fn harmless(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}").into() } else { text }
}

/// A row as one JSON object.
#[must_use]
pub fn object(row: &Row) -> Value {
    Value::Object(row.iter().map(|(name, value)| (name.clone(), json(value))).collect())
}

fn json(attribute: &Attribute) -> Value {
    match attribute {
        Attribute::Text(text) => Value::from(text.as_str()),
        // DynamoDB keeps 38 digits; JSON gets the nearest number.
        Attribute::Number(digits) => {
            digits.parse::<Number>().map_or_else(|_| Value::from(digits.as_str()), Value::Number)
        }
        Attribute::Bool(value) => Value::from(*value),
        Attribute::Map(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), json(value))).collect()),
        Attribute::Other(kind) => Value::from(*kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(&str, Attribute)]) -> Row {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn text(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }

    fn number(digits: &str) -> Attribute {
        Attribute::Number(digits.to_owned())
    }

    #[test]
    fn a_row_must_match_all_conditions() {
        let row = row(&[
            ("Key", text("party/a.jpg")),
            ("Emotion", text("HAPPY")),
            ("AgeLow", number("20")),
            ("AgeHigh", number("30")),
            ("EventTime", text("2026-05-01T10:00:00.000Z")),
        ]);
        let filter = Filter::default();
        for (filter, expected) in [
            (filter.clone(), true),
            (Filter { prefix: Some("party/".into()), ..filter.clone() }, true),
            (Filter { prefix: Some("work/".into()), ..filter.clone() }, false),
            (Filter { emotion: Some("happy".into()), ..filter.clone() }, true),
            (Filter { emotion: Some("SAD".into()), ..filter.clone() }, false),
            (Filter { min_age: Some(30.0), ..filter.clone() }, true),
            (Filter { min_age: Some(31.0), ..filter.clone() }, false),
            (Filter { max_age: Some(20.0), ..filter.clone() }, true),
            (Filter { max_age: Some(19.0), ..filter.clone() }, false),
            (Filter { since: Some("2026-05-01".into()), ..filter.clone() }, true),
            (Filter { since: Some("2026-05-02".into()), ..filter.clone() }, false),
        ] {
            assert_eq!(filter.matches(&row), expected, "{filter:?}");
        }
        assert!(!Filter { min_age: Some(1.0), ..filter }.matches(&Row::new()), "a row without an age");
    }

    #[test]
    fn cells_are_stable_complete_and_harmless() {
        let sides = [("Left", "0.5"), ("Top", "-0.1"), ("Width", "0.2"), ("Height", "0.3")];
        let row = row(&[
            ("FaceID", text("0#000")),
            ("Key", text("=HYPERLINK(\"x\")")),
            ("AgeLow", number("20")),
            ("BoundingBox", Attribute::Map(sides.iter().map(|(n, v)| ((*n).to_owned(), number(v))).collect())),
            ("Smile", Attribute::Bool(true)),
            ("SmileConfidence", number("99.5")),
        ]);
        let cells = cells(&row);
        assert_eq!(cells.len(), COLUMNS.len());
        let cell = |name: &str| cells[COLUMNS.iter().position(|column| *column == name).expect("a column")].as_ref();
        assert_eq!(cell("Key"), "'=HYPERLINK(\"x\")");
        assert_eq!((cell("Top"), cell("AgeLow"), cell("VersionId")), ("-0.1", "20", ""));
        assert_eq!(cell("Other"), r#"{"Smile":true,"SmileConfidence":99.5}"#);
        assert_eq!(object(&row)["BoundingBox"]["Left"], 0.5);
    }
}

//! The items of the picture table: the result for each content of each key. Pure.
//!
//! Invariant: every write changes `ProcessedAt`, so a condition on it detects every other writer.

use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::outcome::Outcome;
use crate::row::{Item, MAX_FACES, Source};

/// The outcome of a content whose rows a person has erased, and which must not be processed again.
pub(crate) const FORGOTTEN: &str = "forgotten";

/// How much later than an item an event may be and still be about the same upload, in seconds. S3, EventBridge, and
/// `Last-Modified` give slightly different times for an upload.
const SAME_UPLOAD: i64 = 60;

/// An item of the picture table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture(Item);

impl Picture {
    /// The item for a final outcome of the content that `source` describes.
    pub(crate) fn new(source: &Source<'_>, content: &str, outcome: &Outcome) -> Self {
        let text = |text: &str| Some(AttributeValue::S(text.to_owned()));
        let (code, faces) = match outcome {
            Outcome::Unusable { code } => (Some(code.as_str()), 0),
            Outcome::Stored { faces } => (None, *faces),
            _ => (None, 0),
        };
        let mut item = key(source.bucket, source.key, content);
        let attributes = [
            ("FaceID", text(source.id)),
            ("Outcome", text(outcome.name())),
            ("Code", code.and_then(text)),
            ("FaceCount", Some(AttributeValue::N(faces.to_string()))),
            ("EventTime", source.time.and_then(|time| time.fmt(Format::DateTime).ok()).map(AttributeValue::S)),
            ("ExpiresAt", source.expires_at.map(|time| AttributeValue::N(time.to_string()))),
        ];
        item.extend(attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Self(item).touched()
    }

    /// Reads an item of the table.
    pub(crate) fn from_item(item: Item) -> Self {
        Self(item)
    }

    pub(crate) fn into_item(self) -> Item {
        self.0
    }

    /// The key of the item.
    pub(crate) fn key(&self) -> Item {
        let members = ["Picture", "Content"].into_iter();
        members.filter_map(|name| Some((name.to_owned(), self.0.get(name)?.clone()))).collect()
    }

    /// The same item with a new `ProcessedAt`.
    pub(crate) fn touched(mut self) -> Self {
        let now = DateTime::from(SystemTime::now()).fmt(Format::DateTime).unwrap_or_default();
        self.0.insert("ProcessedAt".to_owned(), AttributeValue::S(now));
        self
    }

    /// The item while its rows are being erased: it has no outcome, and only `faces` rows are left.
    pub(crate) fn without_outcome(mut self, faces: usize) -> Self {
        self.0.remove("Outcome");
        self.0.insert("FaceCount".to_owned(), AttributeValue::N(faces.to_string()));
        self.touched()
    }

    /// The version or entity tag that the item is about.
    pub(crate) fn content(&self) -> &str {
        self.text("Content").unwrap_or_default()
    }

    /// What identifies the last write of the item.
    pub(crate) fn processed_at(&self) -> &str {
        self.text("ProcessedAt").unwrap_or_default()
    }

    pub(crate) fn code(&self) -> Option<&str> {
        self.text("Code")
    }

    /// The number of rows that there can be. An item without a valid number can have any.
    pub(crate) fn faces(&self) -> usize {
        match self.0.get("FaceCount") {
            Some(AttributeValue::N(count)) => count.parse().unwrap_or(MAX_FACES).min(MAX_FACES),
            _ => MAX_FACES,
        }
    }

    /// Whether the content was processed or forgotten, and its rows are not being erased.
    pub(crate) fn is_final(&self) -> bool {
        self.text("Outcome").is_some()
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.text("Outcome") == Some(FORGOTTEN)
    }

    /// Whether an event at `time` is about the upload that the item is the result of. Otherwise the same bytes were
    /// uploaded again, so that their rows must expire later.
    pub(crate) fn covers(&self, time: Option<DateTime>) -> bool {
        let own = self.text("EventTime").and_then(|time| DateTime::from_str(time, Format::DateTime).ok());
        match (own, time) {
            (Some(own), Some(time)) => time.secs() <= own.secs().saturating_add(SAME_UPLOAD),
            _ => true,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(AttributeValue::S(text)) => Some(text),
            _ => None,
        }
    }
}

/// The value of `Picture`, which all items of one key have in common.
pub(crate) fn partition_key(bucket: &str, key: &str) -> AttributeValue {
    AttributeValue::S(format!("{bucket}/{key}"))
}

fn key(bucket: &str, key: &str, content: &str) -> Item {
    [("Picture".to_owned(), partition_key(bucket, key)), ("Content".to_owned(), AttributeValue::S(content.to_owned()))]
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Attributes;

    fn picture(outcome: &Outcome) -> Picture {
        let source = Source {
            id: "00112233445566778899aabbccddeeff",
            bucket: "pictures",
            key: "a/b.jpg",
            version: None,
            time: Some(DateTime::from_secs(86_400)),
            expires_at: Some(172_800),
            attributes: &Attributes::default(),
        };
        Picture::new(&source, "etag:e", outcome)
    }

    #[test]
    fn an_item_has_all_attributes() {
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let n = |text: &str| AttributeValue::N(text.to_owned());
        let unusable = Outcome::Unusable { code: "Folder".into() };
        for (outcome, name, code, faces) in [
            (Outcome::Stored { faces: 2 }, "stored", None, "2"),
            (Outcome::NoFace, "no_face", None, "0"),
            (unusable, "unusable", Some("Folder"), "0"),
        ] {
            let picture = picture(&outcome);
            let mut expected: Item = [
                ("Picture", s("pictures/a/b.jpg")),
                ("Content", s("etag:e")),
                ("FaceID", s("00112233445566778899aabbccddeeff")),
                ("Outcome", s(name)),
                ("FaceCount", n(faces)),
                ("EventTime", s("1970-01-02T00:00:00Z")),
                ("ExpiresAt", n("172800")),
                ("ProcessedAt", s(picture.processed_at())),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
            expected.extend(code.map(|code| ("Code".to_owned(), s(code))));
            assert!(DateTime::from_str(picture.processed_at(), Format::DateTime).is_ok());
            assert_eq!((picture.code(), picture.content(), picture.is_final()), (code, "etag:e", true));
            assert_eq!(picture.key().len(), 2);
            assert_eq!(picture.into_item(), expected);
        }
    }

    #[test]
    fn an_item_whose_rows_are_being_erased_is_not_final() {
        let picture = picture(&Outcome::Stored { faces: 100 });
        let erasing = picture.clone().without_outcome(99);
        assert_eq!((erasing.faces(), erasing.is_final(), erasing.is_forgotten()), (99, false, false));
        assert_ne!(erasing.processed_at(), picture.processed_at());
    }

    #[test]
    fn an_item_without_a_valid_count_can_have_any_number_of_rows() {
        let check = |count: Option<AttributeValue>, expected: usize| {
            let item = count.map(|count| ("FaceCount".to_owned(), count));
            assert_eq!(Picture::from_item(item.into_iter().collect()).faces(), expected);
        };
        check(Some(AttributeValue::N("3".into())), 3);
        check(Some(AttributeValue::N("1000".into())), 100);
        check(Some(AttributeValue::N("-1".into())), 100);
        check(Some(AttributeValue::S("3".into())), 100);
        check(None, 100);
    }

    #[test]
    fn a_later_event_is_another_upload() {
        let picture = picture(&Outcome::NoFace);
        let check = |time: Option<i64>, expected| {
            assert_eq!(picture.covers(time.map(DateTime::from_secs)), expected, "{time:?}");
        };
        check(None, true);
        check(Some(0), true);
        check(Some(86_400), true);
        check(Some(86_460), true);
        check(Some(86_461), false);
        assert!(Picture::from_item(Item::new()).covers(Some(DateTime::from_secs(0))));
    }
}

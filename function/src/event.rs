//! Decodes S3 event documents into uploads, as leniently as is safe.
//!
//! Invariant: a malformed record never affects another one, and a key is decoded exactly once.

use aws_lambda_events::event::s3::S3EventRecord;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use percent_encoding::percent_decode;
use serde_json::{Value, json};

/// The maximum number of records in an event. S3 sends one. Each record costs memory and a log line, hence the limit.
const MAX_RECORDS: usize = 1_000;

/// One record of an event: what happened to which object.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// The name of the event if the record has one, for example `ObjectCreated:Put`.
    pub name: Option<String>,
    /// The region of the event if the record has one.
    pub region: Option<String>,
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
    /// The object's version. `None` if the bucket is not versioned or the version is called `null`.
    pub version: Option<String>,
    /// The object's entity tag without quotes.
    pub etag: Option<String>,
    /// The time of the event if the record has one that can be parsed.
    pub time: Option<DateTime>,
}

impl Upload {
    /// Whether an object was created. A record without a name counts as a creation.
    pub(crate) fn is_creation(&self) -> bool {
        let name = self.name.as_deref().unwrap_or("ObjectCreated:");
        name.trim_start_matches("s3:").starts_with("ObjectCreated:")
    }
}

/// Why a record can never be processed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The document has no list of records and is not a test event.
    #[error("the event is not an S3 notification")]
    NoRecords,
    /// The document has too many records.
    #[error("the event has {0} records, more than {MAX_RECORDS}")]
    TooMany(usize),
    /// A member that identifies the object is missing or has the wrong type.
    #[error("the record's `{0}` is missing or has the wrong type")]
    Member(&'static str),
    /// The decoded key is not UTF-8.
    #[error("the record's key is not valid UTF-8")]
    Key,
}

/// Decodes the records of an event. S3's test event, sent when a notification is configured, has none.
pub fn decode(event: &Value) -> Result<Vec<Result<Upload, Malformed>>, Malformed> {
    match &event["Records"] {
        Value::Array(records) if records.len() > MAX_RECORDS => Err(Malformed::TooMany(records.len())),
        Value::Array(records) => Ok(records.iter().map(upload).collect()),
        _ if event["Event"] == "s3:TestEvent" => Ok(Vec::new()),
        _ => Err(Malformed::NoRecords),
    }
}

fn upload(record: &Value) -> Result<Upload, Malformed> {
    let S3EventRecord { event_name: name, aws_region: region, s3, .. } =
        serde_json::from_value(essence(record)?).map_err(|_| Malformed::Member("s3"))?;
    let encoded = filled(s3.object.key).ok_or(Malformed::Member("s3.object.key"))?;
    Ok(Upload {
        name: filled(name),
        region: filled(region),
        bucket: filled(s3.bucket.name).ok_or(Malformed::Member("s3.bucket.name"))?,
        key: decode_key(&encoded)?,
        version: filled(s3.object.version_id).filter(|version| version != "null"),
        etag: s3.object.e_tag.map(|etag| unquoted(&etag).to_owned()).filter(|etag| !etag.is_empty()),
        time: record["eventTime"].as_str().and_then(|time| DateTime::from_str(time, Format::DateTimeWithOffset).ok()),
    })
}

/// The relevant part of a record, in the form that `aws_lambda_events` requires. That crate rejects a record without a
/// `userIdentity` or with an unusual `eventTime`, and neither is a reason to lose a picture. Members that identify the
/// object must have the right type, so that a wrong type is an error rather than another object.
fn essence(record: &Value) -> Result<Value, Malformed> {
    let (bucket, object) = (&record["s3"]["bucket"], &record["s3"]["object"]);
    let hint = |name: &str| record[name].as_str();
    let text = |value: &Value, name: &'static str| match value {
        Value::Null | Value::String(_) => Ok(value.clone()),
        _ => Err(Malformed::Member(name)),
    };
    Ok(json!({
        "eventName": hint("eventName"),
        "awsRegion": hint("awsRegion"),
        "eventTime": "1970-01-01T00:00:00Z",
        "userIdentity": {},
        "requestParameters": {},
        "s3": {
            "object": {
                "key": text(&object["key"], "s3.object.key")?,
                "versionId": text(&object["versionId"], "s3.object.versionId")?,
                "eTag": text(&object["eTag"], "s3.object.eTag")?,
            },
            "bucket": { "name": text(&bucket["name"], "s3.bucket.name")? },
        },
    }))
}

/// Decodes `+` to a space first and then `%XX`, once. A `%` that does not start an escape sequence is kept.
fn decode_key(encoded: &str) -> Result<String, Malformed> {
    let spaced = encoded.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().map(Into::into).map_err(|_| Malformed::Key)
}

/// An entity tag without the quotes that it has in headers.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(change: impl FnOnce(&mut Value)) -> Value {
        let mut record = json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
            "eventTime": "2026-11-23T10:20:30.456Z", "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "AWS:X" }, "requestParameters": { "sourceIPAddress": "192.0.2.1" },
            "responseElements": { "x-amz-request-id": "1" },
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "faces",
                "bucket": { "name": "pictures", "ownerIdentity": { "principalId": "X" }, "arn": "arn:aws:s3:::pictures" },
                "object": { "key": "a.jpg", "size": 1024, "eTag": "0123", "versionId": "v", "sequencer": "00" },
            },
        });
        change(&mut record);
        record
    }

    fn only(record: Value) -> Result<Upload, Malformed> {
        decode(&Value::from_iter([("Records", vec![record])])).unwrap().remove(0)
    }

    #[test]
    fn a_complete_record_is_decoded() {
        assert_eq!(
            only(record(|_| ())).unwrap(),
            Upload {
                name: Some("ObjectCreated:Put".into()),
                region: Some("eu-west-1".into()),
                bucket: "pictures".into(),
                key: "a.jpg".into(),
                version: Some("v".into()),
                etag: Some("0123".into()),
                time: Some(DateTime::from_millis(1_795_429_230_456)),
            }
        );
    }

    #[test]
    fn keys_are_decoded_once() {
        let check = |encoded: &str, expected: &str| {
            assert_eq!(only(record(|r| r["s3"]["object"]["key"] = encoded.into())).unwrap().key, expected);
        };
        check("plain.jpg", "plain.jpg");
        check("a+b.jpg", "a b.jpg");
        check("a%2Bb.jpg", "a+b.jpg");
        check("a%252Bb.jpg", "a%2Bb.jpg");
        check("%C3%BC/%F0%9F%98%80.png", "ü/😀.png");
        check("100%.jpg", "100%.jpg");
        check("a%00b", "a\0b");
    }

    #[test]
    fn irrelevant_members_may_be_missing_or_unusual() {
        let check = |change: fn(&mut Value)| assert_eq!(only(record(change)).unwrap().key, "a.jpg");
        check(|r| r["eventVersion"] = "2.9".into());
        check(|r| r["userIdentity"] = Value::Null);
        check(|r| drop(r.as_object_mut().unwrap().remove("userIdentity")));
        check(|r| r["requestParameters"] = json!([1]));
        check(|r| r["responseElements"] = json!({ "a": 1 }));
        check(|r| r["s3"]["object"]["sequencer"] = 7.into());
        check(|r| r["s3"]["object"]["size"] = "huge".into());
        check(|r| r["s3"]["bucket"]["ownerIdentity"] = 3.into());
        check(|r| r["glacierEventData"] = json!({ "new": true }));
        check(|r| r["eventName"] = 1.into());
    }

    #[test]
    fn a_time_that_cannot_be_parsed_is_ignored() {
        let check = |time: Value, expected: Option<i64>| {
            let upload = only(record(|r| r["eventTime"] = time)).unwrap();
            assert_eq!(upload.time.map(|time| time.secs()), expected);
        };
        check("2026-11-23T10:20:30Z".into(), Some(1_795_429_230));
        check("2026-11-23T11:20:30+01:00".into(), Some(1_795_429_230));
        check("yesterday".into(), None);
        check(1_795_429_230.into(), None);
        check(Value::Null, None);
    }

    #[test]
    fn an_unversioned_object_has_only_an_entity_tag() {
        let check = |version: Value, etag: Value, expected: (Option<&str>, Option<&str>)| {
            let upload = only(record(|r| {
                r["s3"]["object"]["versionId"] = version;
                r["s3"]["object"]["eTag"] = etag;
            }))
            .unwrap();
            assert_eq!((upload.version.as_deref(), upload.etag.as_deref()), expected);
        };
        check(Value::Null, "0123".into(), (None, Some("0123")));
        check("".into(), "\"0123\"".into(), (None, Some("0123")));
        check("null".into(), "W/\"0123\"".into(), (None, Some("0123")));
        check("v".into(), Value::Null, (Some("v"), None));
        check(Value::Null, "\"\"".into(), (None, None));
    }

    #[test]
    fn members_that_identify_the_object_must_be_valid() {
        let check = |change: fn(&mut Value), expected: Malformed| {
            assert_eq!(only(record(change)), Err(expected));
        };
        check(|r| r["s3"] = Value::Null, Malformed::Member("s3.object.key"));
        check(|r| *r = "text".into(), Malformed::Member("s3.object.key"));
        check(|r| r["s3"]["object"]["key"] = 5.into(), Malformed::Member("s3.object.key"));
        check(|r| r["s3"]["object"]["key"] = "".into(), Malformed::Member("s3.object.key"));
        check(|r| r["s3"]["object"]["versionId"] = 5.into(), Malformed::Member("s3.object.versionId"));
        check(|r| r["s3"]["object"]["eTag"] = json!(["0123"]), Malformed::Member("s3.object.eTag"));
        check(|r| r["s3"]["bucket"]["name"] = Value::Null, Malformed::Member("s3.bucket.name"));
        check(|r| r["s3"]["object"]["key"] = "%FF%FE.jpg".into(), Malformed::Key);
    }

    #[test]
    fn a_document_is_a_list_of_records_or_a_test_event() {
        let check = |event: Value, expected: Result<usize, Malformed>| {
            assert_eq!(decode(&event).map(|records| records.len()), expected);
        };
        check(json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "pictures" }), Ok(0));
        check(json!({ "Records": [] }), Ok(0));
        check(json!({ "Records": [record(|_| ()), 5, record(|_| ())] }), Ok(3));
        check(json!({ "Records": {} }), Err(Malformed::NoRecords));
        check(json!({}), Err(Malformed::NoRecords));
        check(json!([1, 2]), Err(Malformed::NoRecords));
        check(Value::Null, Err(Malformed::NoRecords));
    }
}
